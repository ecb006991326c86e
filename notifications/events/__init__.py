"""The ten event types, in the order in which they appear everywhere.

A further one is one entry here with its payload builder in `notifications.events.payloads`, and the signal where it
happens.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.dispatch import Signal
from pydantic import BaseModel

from channels_app.transports import kind_choices
from notifications.events import payloads
from orders import signals


@dataclass(frozen=True)
class EventType:
    """One kind of occurrence.

    `signal` announces it; its arguments, less `source`, are those of `data`, which builds the event's `data` member.
    """

    key: str
    label: str
    description: str
    signal: Signal
    data: Callable[..., BaseModel]
    postback_only: bool = False
    manual_retry: bool = False

    @property
    def kinds(self) -> list[str]:
        """The kinds of channel that may be attached."""
        return ["postback"] if self.postback_only else [kind for kind, _ in kind_choices()]


EVENT_TYPES: dict[str, EventType] = {
    event_type.key: event_type
    for event_type in (
        EventType(
            key="order.completed",
            label="Order completed",
            description="An order closes successfully: at the first approved purchase; for a funnel order when the "
            "buyer reaches the thank-you page, or 30 minutes after the first approved purchase.",
            signal=signals.order_completed,
            data=payloads.order_data,
            manual_retry=True,
        ),
        EventType(
            key="contact.created",
            label="Contact created",
            description="A lead is created through the admin, the shop or a funnel, or a shop or funnel sends again a "
            "contact that exists.",
            signal=signals.contact_created,
            data=payloads.contact_created_data,
        ),
        EventType(
            key="shipping.tracking_updated",
            label="Shipping tracking info updated",
            description="An order's tracking information changes.",
            signal=signals.tracking_updated,
            data=payloads.order_data,
        ),
        EventType(
            key="product.conflict",
            label="Product conflicts",
            description="A customer buys a digital product that they already own.",
            signal=signals.product_conflict,
            data=payloads.product_conflict_data,
        ),
        EventType(
            key="transaction.declined",
            label="Transaction declined",
            description="A purchase transaction is rejected. A funnel order can cause it many times.",
            signal=signals.transaction_declined,
            data=payloads.transaction_data,
            manual_retry=True,
        ),
        EventType(
            key="refund.applied",
            label="Refund applied",
            description="A refund or a void is applied.",
            signal=signals.refund_applied,
            data=payloads.refund_data,
            manual_retry=True,
        ),
        EventType(
            key="subscription.canceled",
            label="Subscription canceled",
            description="A subscription is canceled.",
            signal=signals.subscription_canceled,
            data=payloads.subscription_data,
        ),
        EventType(
            key="customer.created",
            label="Customer created",
            description="A lead makes their first successful purchase.",
            signal=signals.customer_created,
            data=payloads.customer_created_data,
            postback_only=True,
        ),
        EventType(
            key="transaction.approved",
            label="Approved transaction",
            description="A purchase transaction succeeds. A funnel order can cause it many times.",
            signal=signals.transaction_approved,
            data=payloads.transaction_data,
            manual_retry=True,
        ),
        EventType(
            key="survey.completed",
            label="Survey completed",
            description="A survey is finished.",
            signal=signals.survey_completed,
            data=payloads.survey_data,
            postback_only=True,
        ),
    )
}


def event_type_choices() -> list[tuple[str, str]]:
    """Keys with labels, for forms and filters."""
    return [(event_type.key, event_type.label) for event_type in EVENT_TYPES.values()]


def event_label(key: str) -> str:
    """The label of an event type; the key itself of one that is no longer in the catalogue."""
    return EVENT_TYPES[key].label if key in EVENT_TYPES else key
