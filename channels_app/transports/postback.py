"""The postback channel: a signed POST of the event's bytes to a URL."""

from datetime import datetime
from typing import ClassVar

from channels_app.transports.base import Answer, Destination, Message, Outcome, Takes
from channels_app.transports.client import Client
from channels_app.transports.rules import check_headers
from channels_app.transports.signature import sign


class PostbackTransport:
    """Sends to a receiver of the Standard Webhooks specification. `client` can be replaced by one of other limits."""

    kind: ClassVar[str] = "postback"
    label: ClassVar[str] = "Postback"
    takes: ClassVar[Takes] = Takes(url=True, headers=True, signing_secret=True)

    def __init__(self, client: Client | None = None) -> None:
        self._client = client or Client()

    def send(self, destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
        """POST once, signed with each secret in force; see `Transport.send` and `Client.post`.

        Raises `ValueError` when there is no usable secret: nothing leaves unsigned.
        """
        if not destination.secrets:
            raise ValueError("The channel has no signing secret.")
        try:
            extra = check_headers(destination.headers)
        except ValueError as error:
            return Answer(Outcome.BLOCKED, url=destination.url, error=str(error))
        timestamp = int(now.timestamp())
        signatures = (sign(secret, message.id, timestamp, message.body) for secret in destination.secrets)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
            **extra,
        }
        return self._client.post(
            destination.url,
            message.body,
            headers,
            now=now,
            timeout=timeout,
            channel=destination.channel_id,
            masked=extra.keys(),
        )
