"""The postback channel: a signed POST of the event's bytes to a URL."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from channels_app.transports.base import Answer, Destination, Message, Outcome, Transport
from channels_app.transports.fields import HeadersField, Takes, UrlField
from channels_app.transports.http.client import Client
from channels_app.transports.postback.signature import sign
from channels_app.transports.rules import MASK, SECRET_URL_REFUSED, check_headers, check_url, masked_url
from channels_app.transports.secret_urls import secrets_of


class PostbackTransport(Transport):
    """Sends to a receiver of the Standard Webhooks specification. `client` can be replaced by one of other limits."""

    kind: ClassVar[str] = "postback"
    label: ClassVar[str] = "Postback"
    about: ClassVar[str] = "For programs: a signed POST of JSON to a URL of yours."
    takes: ClassVar[Takes] = Takes(
        url=UrlField(help_text="Each notification is sent to it as a POST."),
        headers=HeadersField(),
        signing_secret=True,
    )
    advice: ClassVar[Path | None] = Path(__file__).with_name("advice.html")

    def __init__(self, client: Client | None = None) -> None:
        self._client = client or Client()

    def send(self, destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
        """POST once, signed with each secret in force; see `Transport.send` and `Client.post`.

        Raises `ValueError` when there is no usable secret: nothing leaves unsigned.
        """
        if not destination.secrets:
            raise ValueError("The channel has no signing secret.")
        shown, hidden = destination.url, []
        if destination.url_is_secret:
            try:
                url = check_url(destination.url)
            except ValueError:
                return Answer(Outcome.BLOCKED, url=MASK, error=SECRET_URL_REFUSED)
            shown, hidden = masked_url(url), secrets_of(url)
        try:
            extra = check_headers(destination.headers)
        except ValueError as error:
            return Answer(Outcome.BLOCKED, url=shown, error=str(error))
        own = {name.lower() for name in extra}
        timestamp = int(now.timestamp())
        signatures = (sign(secret, message.id, timestamp, message.body) for secret in destination.secrets)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
            **{name: value for name, value in message.trace_headers.items() if name not in own},
            **extra,
        }
        answer = self._client.post(
            destination.url,
            message.body,
            headers,
            now=now,
            timeout=timeout,
            channel=destination.channel_id,
            masked=extra.keys(),
            hidden=hidden,
        )
        return replace(answer, url=shown) if destination.url_is_secret else answer
