"""What happened, once, with the body that tells it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from typeid import TypeID

from notifications.correlation import LONGEST_REQUEST_ID, request_id
from notifications.events.alerts import ALERT_PREFIX
from notifications.models.routing import validate_event_type
from orders.models import Contact, Order, Source

TEST_EVENT_PREFIX = "evt_test"


def new_event_id() -> str:
    return str(TypeID("evt"))


def new_test_event_id() -> str:
    """Receivers tell a test by the beginning of its id."""
    return str(TypeID(TEST_EVENT_PREFIX))


class _OfTheShop(models.Manager["Event"]):
    def get_queryset(self) -> models.QuerySet["Event"]:
        return super().get_queryset().exclude(type__startswith=ALERT_PREFIX)


class Event(models.Model):
    """One occurrence, recorded in the transaction that made it so.

    `body` is what every channel receives, frozen as text so that its bytes never change; null only where building it
    failed, and then built from `facts` by a retry. `routing` keeps for each attached channel what became of it:
    `{"channel": id, "name": its name then, "outcome": a RoutingOutcome, "delivery": id or null}`.
    `erased_at` is when `notifications.erasure` took a person's data out of it: it is never sent again.
    `request_id` is that of the request that it came of, and `trace_context` leads to its span, where it is traced.
    An alert is an event as well, which has its body in `Alert`; `objects` leaves it out.
    """

    class RoutingOutcome(models.TextChoices):
        DELIVERED = "delivered", "A delivery was made"
        HELD = "held", "A delivery was made and held: the channel was paused"
        EVENT_DISABLED = "event_disabled", "The event type was turned off"
        SOURCE_NOT_CHOSEN = "source_not_chosen", "The channel does not listen to this source"
        KIND_NOT_ALLOWED = "kind_not_allowed", "This event type is for postbacks only"

    id = models.CharField(primary_key=True, max_length=40, default=new_event_id, editable=False)
    type = models.CharField(max_length=40, validators=[validate_event_type])
    source = models.CharField(max_length=10, choices=Source)
    order = models.ForeignKey(
        Order, null=True, blank=True, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    facts = models.JSONField(default=dict)
    body = models.TextField(null=True)  # noqa: DJ001 (null is "not built", no body is empty)
    routing = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    request_id = models.CharField(  # noqa: DJ001 (null is "of no request")
        max_length=LONGEST_REQUEST_ID,
        null=True,
        blank=True,
        default=request_id,
        editable=False,
        help_text="Of the request that it came of.",
    )
    trace_context = models.JSONField(
        null=True, blank=True, editable=False, help_text="By W3C Trace Context, where it is traced."
    )

    objects = _OfTheShop()
    every: ClassVar[models.Manager["Event"]] = models.Manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The order's page and GET /events?order=: what happened to one order, newest first.
            models.Index(fields=["order", "-id"], condition=Q(order__isnull=False), name="event_of_order"),
            # The contact's page: what concerned one person, newest first.
            models.Index(fields=["contact", "-id"], condition=Q(contact__isnull=False), name="event_of_contact"),
            # GET /events?event_type=: one type, newest first.
            models.Index(fields=["type", "-id"], name="event_of_type"),
            # GET /events?source=, and the logs of events and deliveries by source: one source, newest first.
            models.Index(fields=["source", "-id"], name="event_of_source"),
            # The log of events by request: all that came of one.
            models.Index(fields=["request_id", "-id"], condition=Q(request_id__isnull=False), name="event_of_request"),
            # retention.purge: the oldest first.
            models.Index(fields=["created_at"], name="event_created"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(source__in=["admin", "shop", "funnel"]), name="event_source_known"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    @property
    def trace_id(self) -> str:
        """Of the trace that it is part of, in hexadecimal digits; empty where it was not traced."""
        parts = str((self.trace_context or {}).get("traceparent", "")).split("-")
        return parts[1] if len(parts) == 4 else ""

    @property
    def channels_told(self) -> str:
        """How many of the channels attached to its type were told of it, or will be: `1 of 2`."""
        if not self.routing:
            return "None attached"
        return f"{sum(1 for route in self.routing if route['delivery'])} of {len(self.routing)}"
