"""The event types of orders."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from channels_app.transports import Link, Notice
from notifications.events import samples
from notifications.events.base import EventType
from notifications.events.words import sections
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import capital, goods, odd_sums, paragraphs, place_of, sentence, titled
from orders import signals
from orders.links import as_uri
from orders.models import Order
from orders.representations import OrderOut, time_text

LINK_CHARACTERS = 2000


class OrderData(BaseModel):
    """`order.completed` and `shipping.tracking_updated`."""

    order: OrderOut


def _completed(event: Occurrence) -> Notice:
    order, lines = event.order, event.order.objects("items")
    return event.notice(
        title=titled(f"{capital(event.order_name)} completed", order.money("total")),
        paragraphs=paragraphs(sentence(event.somebody, "bought", goods(lines), place_of(order)), odd_sums(order)),
        sections=(
            sections.order(order),
            sections.items(order),
            sections.contact(event.contact),
            sections.tracking(order.object("tracking")),
        ),
        tone="good",
    )


COMPLETED = EventType(
    key="order.completed",
    label="Order completed",
    description="An order closes successfully: at the first approved purchase; for a funnel order when the "
    "buyer reaches the thank-you page, or 30 minutes after the first approved purchase.",
    signal=signals.order_completed,
    facts={"order": Order},
    data=OrderData,
    sample=lambda now: {"order": samples.order(now)},
    words=_completed,
    manual_retry=True,
)


def _tracking_updated(event: Occurrence) -> Notice:
    tracking = event.order.object("tracking")
    carrier, number = tracking.text("carrier"), tracking.text("number")
    parcel = " ".join(filter(None, (carrier, number)))
    shown = (sections.tracking(tracking), sections.order(event.order), sections.contact(event.contact))
    if not tracking:
        return event.notice(
            title=f"{capital(event.order_name)}: tracking cleared",
            paragraphs=(f"{capital(event.order_name)} of {event.who} has no tracking information any more.",),
            sections=shown,
        )
    return event.notice(
        title=f"{capital(event.order_name)}: tracking set{f' to {parcel}' if parcel else ''}",
        paragraphs=(
            sentence(
                f"The parcel for {event.who} travels",
                f"with {carrier}" if carrier else "",
                f"under the number {number}" if number else "",
            ),
        ),
        sections=shown,
        links=_track(tracking.members.get("url")),
        tone="good",
    )


def _track(url: object) -> tuple[Link, ...]:
    """A link to the carrier's page; none for what is no web address. Older bodies may have one that is no URI."""
    if not isinstance(url, str) or len(url) > LINK_CHARACTERS or not url.isprintable() or " " in url:
        return ()
    if not url.lower().startswith(("http://", "https://")):
        return ()
    try:
        return (Link("Track the parcel", url if url.isascii() else as_uri(url)),)
    except ValueError:
        return ()


def _tracking_sample(now: datetime) -> dict[str, Any]:
    tracking = {
        "carrier": "Royal Mail",
        "number": "RM123456785GB",
        "url": "https://example.com/track/RM123456785GB",
        "updated_at": time_text(now),
    }
    return {"order": samples.order(now, tracking=tracking)}


TRACKING_UPDATED = EventType(
    key="shipping.tracking_updated",
    label="Shipping tracking info updated",
    description="An order's tracking information changes.",
    signal=signals.tracking_updated,
    facts={"order": Order},
    data=OrderData,
    sample=_tracking_sample,
    words=_tracking_updated,
)
