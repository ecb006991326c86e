"""How long the log is kept, for the pages that show a part of it."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def retention_days() -> int:
    """For how many days events, deliveries and attempts are kept."""
    days: int = settings.RETENTION_DAYS
    return days
