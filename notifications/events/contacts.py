"""The event types of contacts."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from channels_app.transports import Notice
from notifications.events import samples
from notifications.events.base import EventType
from notifications.events.words import sections
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import capital
from orders import signals
from orders.models import Contact, Order, Source
from orders.representations import ContactOut, OrderOut

SENDERS: dict[str, str] = {Source.ADMIN: "the back office", Source.SHOP: "the shop", Source.FUNNEL: "a funnel"}


class ContactCreatedData(BaseModel):
    """`contact.created`. `reactivated`: the contact was known before."""

    contact: ContactOut
    reactivated: Annotated[bool, Field(description="The contact was known before.", examples=[False])]


def _created(event: Occurrence) -> Notice:
    again = event.data.is_true("reactivated")
    by = SENDERS.get(event.source, "")
    if again:
        known = "customer" if event.contact.text("status") == Contact.Status.CUSTOMER else "lead"
        said = (
            f"{capital(by or 'somebody')} sent a contact that was known already as a {known}. "
            "What was given anew has replaced what was known before."
        )
    else:
        said = f"A new contact came from {by}." if by else "A new contact came in."
    return event.notice(
        title=f"{event.somebody} is back (contact sent again)" if again else f"New contact: {event.who}",
        paragraphs=(said,),
        sections=(sections.contact(event.contact, in_full=True),),
        tone="good",
    )


CREATED = EventType(
    key="contact.created",
    label="Contact created",
    description="A lead is created through the admin, the shop or a funnel, or a shop or funnel sends again a "
    "contact that exists.",
    signal=signals.contact_created,
    facts={"contact": Contact, "reactivated": bool},
    data=ContactCreatedData,
    sample=lambda now: {"contact": samples.contact(now, status=Contact.Status.LEAD), "reactivated": False},
    words=_created,
)


class CustomerCreatedData(BaseModel):
    """`customer.created`, with the order that made the lead a customer."""

    contact: ContactOut
    order: OrderOut


def _became_customer(event: Occurrence) -> Notice:
    return event.notice(
        title=f"New customer: {event.who} ({event.order_name})",
        paragraphs=(f"With {event.order_name}, {event.who} has bought something for the first time.",),
        sections=(
            sections.contact(event.contact, in_full=True),
            sections.order(event.order),
            sections.items(event.order),
        ),
        tone="good",
    )


def _customer_sample(now: datetime) -> dict[str, Any]:
    """The first purchase of a funnel's order is announced before the buyer reaches the thank-you page."""
    order = samples.order(now, status=Order.Status.PAID, completed_at=None)
    return {"contact": order.contact, "order": order}


BECAME_CUSTOMER = EventType(
    key="customer.created",
    label="Customer created",
    description="A lead makes their first successful purchase.",
    signal=signals.customer_created,
    facts={"contact": Contact, "order": Order},
    data=CustomerCreatedData,
    sample=_customer_sample,
    words=_became_customer,
    postback_only=True,
)
