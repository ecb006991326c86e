"""The event types, in the order in which they appear everywhere.

A file a subject defines them, with `base.EventType`. A further one is an object there and a line here;
`docs/event-types.md` is the recipe. Nothing here knows the tables of notifications, which know the event types.
"""

from notifications.events import contacts, orders, payments, products, subscriptions, surveys
from notifications.events.base import EventType

EVENT_TYPES: dict[str, EventType] = {
    event_type.key: event_type
    for event_type in (
        orders.COMPLETED,
        contacts.CREATED,
        orders.TRACKING_UPDATED,
        products.CONFLICT,
        payments.DECLINED,
        payments.REFUNDED,
        subscriptions.CANCELED,
        contacts.BECAME_CUSTOMER,
        payments.APPROVED,
        surveys.COMPLETED,
    )
}

__all__ = ["EVENT_TYPES", "EventType", "event_label", "event_type_choices"]


def event_type_choices() -> list[tuple[str, str]]:
    """Keys with labels, for forms and filters."""
    return [(event_type.key, event_type.label) for event_type in EVENT_TYPES.values()]


def event_label(key: str) -> str:
    """The label of an event type; the key itself of one that is no longer in the catalogue."""
    return EVENT_TYPES[key].label if key in EVENT_TYPES else key
