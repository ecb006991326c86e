"""The recipients of an e-mail channel, each with what the mail server last said about it."""

from dataclasses import dataclass
from datetime import datetime

from backoffice.notifications.reached import refused
from channels_app.models import Channel
from notifications.models import Delivery, DeliveryAttempt

# How far back the latest reply is looked for.
DELIVERIES_LOOKED_THROUGH = 20


@dataclass(frozen=True)
class Recipient:
    """`reply` is the latest, such as `250 2.1.5 OK`, with when it came and for which delivery; "": there is none."""

    address: str
    reply: str = ""
    at: datetime | None = None
    delivery_id: str = ""

    @property
    def refused(self) -> str:
        """`Refused`, `Refused for now`, or ""."""
        return refused(self.reply)


def recipients_of(channel: Channel, *, with_replies: bool) -> list[Recipient]:
    """In the order of the channel, with the latest reply to each where wanted: one query."""
    latest = _latest_replies(channel) if with_replies and channel.recipients else {}
    return [latest.get(address.lower(), Recipient(address)) for address in channel.recipients]


def _latest_replies(channel: Channel) -> dict[str, Recipient]:
    """By address in lower case, from the attempts of the channel's latest deliveries, tests included."""
    deliveries = Delivery.objects.filter(channel=channel).order_by("-id").values("pk")
    attempts = (
        DeliveryAttempt.objects.filter(delivery__in=deliveries[:DELIVERIES_LOOKED_THROUGH])
        .order_by("started_at", "id")
        .values_list("delivery_id", "started_at", "response_headers", "delivery__reached")
    )
    latest = {}
    for delivery_id, at, replies, reached in attempts:
        has_it = {address.lower() for address in reached}
        for address, reply in replies.items():
            # Taken for somebody who did not get it: the message itself was refused, or the connection lost.
            if refused(reply) or address.lower() in has_it:
                latest[address.lower()] = Recipient(address, reply, at, delivery_id)
    return latest
