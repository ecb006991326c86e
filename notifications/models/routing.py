"""Which event types are on, and which channels hear of them."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from channels_app.models import Channel
from notifications import events
from orders.models import Source


def validate_event_type(key: str) -> None:
    if key not in events.EVENT_TYPES:
        raise ValidationError("%(key)s is not an event type.", params={"key": key})


class EventTypeSwitch(models.Model):
    """Whether an event type is on. No row: never touched, so off."""

    event_type = models.CharField(primary_key=True, max_length=40, validators=[validate_event_type])
    enabled = models.BooleanField(default=False)
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "event type"
        verbose_name_plural = "event types"

    def __str__(self) -> str:
        return f"{self.event_type} {'on' if self.enabled else 'off'}"


class EventChannel(models.Model):
    """A channel attached to an event type, with the sources that it listens to."""

    event_type = models.CharField(max_length=40, validators=[validate_event_type])
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="attachments")
    sources = ArrayField(models.CharField(max_length=10, choices=Source))
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "attached channel"
        ordering = ["id"]
        constraints = [
            # Also the index behind receivers.route: the channels of one event type.
            models.UniqueConstraint(fields=["event_type", "channel"], name="channel_attached_once"),
            models.CheckConstraint(
                condition=Q(sources__contained_by=["admin", "shop", "funnel"]) & Q(sources__len__gte=1),
                name="attached_with_known_sources",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} on {self.event_type}"
