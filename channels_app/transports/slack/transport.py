"""The Slack channel: a message to an incoming webhook, of Slack or of Mattermost, which takes the same."""

import json
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from channels_app.transports.base import Answer, Destination, Message, Outcome, Takes
from channels_app.transports.http.client import Client
from channels_app.transports.rules import MASK, SECRET_URL_REFUSED, check_url, masked_url
from channels_app.transports.secret_urls import secrets_of
from channels_app.transports.slack.blocks import payload
from channels_app.transports.slack.refusals import explained


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
            return Answer(Outcome.BLOCKED, url=MASK, error=SECRET_URL_REFUSED)
        body = json.dumps(payload(message.in_words()), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = self._client.post(
            url, body, headers, now=now, timeout=timeout, channel=destination.channel_id, hidden=secrets_of(url)
        )
        return explained(replace(answer, url=masked_url(url)))
