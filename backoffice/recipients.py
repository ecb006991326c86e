"""The recipients of an e-mail channel or of one delivery, and what the mail server last said about each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from channels_app.models import Channel
from channels_app.transports import takes
from notifications.models import Delivery, DeliveryAttempt

# How far back the latest reply to an address of a channel is looked for.
DELIVERIES_LOOKED_THROUGH = 20


@dataclass(frozen=True)
class Recipient:
    """One address. `reply` is the latest reply of SMTP, such as `250 2.1.5 OK`; "" where there is none.

    Of a channel, `at` and `delivery_id` say when the reply came and for which delivery. Of a delivery, `has_it` says
    whether the address has the message; a reply that only says that it would have been taken is then left out.
    """

    address: str
    reply: str = ""
    has_it: bool = False
    at: datetime | None = None
    delivery_id: str = ""

    @property
    def refused(self) -> str:
        """`Refused`, `Refused for now`, or ""."""
        return "" if self.has_it else refusal(self.reply)


def refusal(reply: str) -> str:
    """The verdict of an SMTP reply such as `550 5.1.1 No such user`: `Refused`, `Refused for now`, or ""."""
    return {"4": "Refused for now", "5": "Refused"}.get(reply[:1], "")


def recipients_of_channel(channel: Channel, *, with_replies: bool) -> list[Recipient]:
    """The recipients of a channel in its order, with the latest reply to each where wanted: one query."""
    latest = _latest_replies(channel) if with_replies and channel.recipients else {}
    return [latest.get(address.lower(), Recipient(address)) for address in channel.recipients]


def recipients_of_delivery(delivery: Delivery, attempts: Iterable[DeliveryAttempt]) -> list[Recipient]:
    """The recipients that have the mail or were tried and, while it is pending, those of the channel now.

    In the order of the channel; empty for a kind without recipients. `attempts` are those of the delivery, the oldest
    first.
    """
    if not takes(delivery.channel.kind).recipients:
        return []
    present = {address.lower(): address for address in delivery.channel.recipients}
    replies = {address: reply for attempt in attempts for address, reply in attempt.response_headers.items()}
    said = {address.lower(): reply for address, reply in replies.items()}
    has_it = {address.lower() for address in delivery.reached}
    concerned = {address.lower(): address for address in (*replies, *delivery.reached)}
    if delivery.status == Delivery.Status.PENDING:
        concerned |= present
    order = {key: index for index, key in enumerate(present)}
    keys = sorted(concerned, key=lambda key: (order.get(key, len(order)), key))
    return [Recipient(concerned[key], _news(said.get(key, ""), has_it=key in has_it), key in has_it) for key in keys]


def _news(reply: str, *, has_it: bool) -> str:
    return reply if has_it or refusal(reply) else ""


def _latest_replies(channel: Channel) -> dict[str, Recipient]:
    """The latest reply by address in lower case, from the attempts of the channel's latest deliveries and tests."""
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
            # A reply of 2xx to an address that did not get it: the message itself was refused, or the connection lost.
            if refusal(reply) or address.lower() in has_it:
                latest[address.lower()] = Recipient(address, reply, at=at, delivery_id=delivery_id)
    return latest
