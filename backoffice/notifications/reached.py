"""Which recipients of a delivery have its message, and what a mail server said about each."""

from collections.abc import Iterable
from dataclasses import dataclass

from channels_app.transports import takes
from notifications.models import Delivery, DeliveryAttempt


@dataclass(frozen=True)
class Recipient:
    """`reply` is what the mail server last said about this address, "" where it was not asked yet.

    That it would have taken the message for somebody who did not get it, since all of it was refused, is no news.
    """

    address: str
    has_it: bool
    reply: str = ""

    @property
    def refused(self) -> str:
        return "" if self.has_it else refused(self.reply)


def refused(reply: str) -> str:
    """What a reply of SMTP such as `550 5.1.1 No such user` comes to: `Refused`, `Refused for now`, or ""."""
    return {"4": "Refused for now", "5": "Refused"}.get(reply[:1], "")


def recipients_of(delivery: Delivery, attempts: Iterable[DeliveryAttempt]) -> list[Recipient]:
    """Those that have it or were tried and, as long as it is pending, those that the channel has by now.

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
    return [Recipient(concerned[key], key in has_it, _news(said.get(key, ""), has_it=key in has_it)) for key in keys]


def _news(reply: str, *, has_it: bool) -> str:
    return reply if has_it or refused(reply) else ""
