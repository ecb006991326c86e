"""Filters and tags of all pages: times, amounts, numbers and event types in words, and how long the log is kept."""

from django import template
from django.conf import settings

from notifications import display
from notifications.events import event_label

register = template.Library()

for each in (display.ago, display.moment, display.number, display.money, event_label):
    register.filter(each.__name__, each)


@register.simple_tag
def retention_days() -> int:
    """For how many days events, deliveries and attempts are kept."""
    days: int = settings.RETENTION_DAYS
    return days
