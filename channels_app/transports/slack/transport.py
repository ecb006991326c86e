"""The Slack channel: a message to an incoming webhook, of Slack or of Mattermost, which takes the same."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from channels_app.transports.base import Answer, Destination, Message, Outcome, Transport
from channels_app.transports.fields import Takes, UrlField
from channels_app.transports.http.client import Client
from channels_app.transports.rules import MASK, SECRET_URL_REFUSED, check_url, masked_url
from channels_app.transports.secret_urls import secrets_of
from channels_app.transports.slack.blocks import payload
from channels_app.transports.slack.refusals import explained


class SlackTransport(Transport):
    """Slack. The URL is a credential by itself, so no answer shows more of it than its host.

    `client` can be replaced by one of other limits.
    """

    kind: ClassVar[str] = "slack"
    label: ClassVar[str] = "Slack"
    about: ClassVar[str] = "For teams: a message in words in a conversation of Slack or Mattermost."
    takes: ClassVar[Takes] = Takes(
        url=UrlField(
            label="Webhook URL",
            help_text="Of an incoming webhook, as Slack or Mattermost shows it when you create one. Stored encrypted.",
            secret=True,
            if_leaked="Whoever knows it can post in the conversation. It is stored encrypted. If it got out, have "
            "Slack or Mattermost make a new one and give that with Edit.",
        )
    )
    advice: ClassVar[Path | None] = Path(__file__).with_name("advice.html")
    answered_by: ClassVar[str] = "the webhook"

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
