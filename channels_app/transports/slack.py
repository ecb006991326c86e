"""The Slack channel: a message to an incoming webhook, of Slack or of Mattermost, which takes the same."""

import json
from dataclasses import replace
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote, unquote_plus, urlsplit

from channels_app.transports.base import Answer, Destination, Message, Outcome, Takes
from channels_app.transports.blocks import payload
from channels_app.transports.client import Client
from channels_app.transports.refusals import explained
from channels_app.transports.rules import MASK, check_url, masked_url

SHORTEST_KEY = 16


class SlackTransport:
    """Whoever knows the URL may post to it, so no answer shows more of it than its host.

    `client` can be replaced by one of other limits.
    """

    kind: ClassVar[str] = "slack"
    label: ClassVar[str] = "Slack"
    takes: ClassVar[Takes] = Takes(url=True, secret_url=True)

    def __init__(self, client: Client | None = None) -> None:
        self._client = client or Client()

    def send(self, destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
        """POST once; see `Transport.send` and `Client.post`. Raises `ValueError` for a message without words."""
        try:
            url = check_url(destination.url)
        except ValueError:
            # What the sentence says of the URL may be the secret part.
            return Answer(Outcome.BLOCKED, url=MASK, error="The URL cannot be called. Change that of this channel.")
        body = json.dumps(payload(message.in_words()), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = self._client.post(
            url, body, headers, now=now, timeout=timeout, channel=destination.channel_id, hidden=secrets_of(url)
        )
        return explained(replace(answer, url=masked_url(url)))


def secrets_of(url: str) -> list[str]:
    """What must not be told: the URL, its path with and without the query, the last part of the path and whatever part
    is long enough to be a key, and the values of the query, each as it is written, as it is read and as a part of
    another address.
    """
    parts = urlsplit(url)
    written = [
        url,
        f"{parts.path}?{parts.query}",
        parts.path,
        parts.path.rstrip("/").rpartition("/")[2],
        *(part for part in parts.path.split("/") if len(part) >= SHORTEST_KEY),
        *(pair.partition("=")[2] for pair in parts.query.split("&")),
    ]
    return [*written, *map(unquote_plus, written), *(quote(each, safe="") for each in written)]
