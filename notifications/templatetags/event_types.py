"""What an event type is called, for pages."""

from django import template

from notifications.catalogue import EVENT_TYPES

register = template.Library()


@register.filter
def event_label(key: str) -> str:
    """The label of an event type; the key itself of one that is no longer in the catalogue."""
    return EVENT_TYPES[key].label if key in EVENT_TYPES else key
