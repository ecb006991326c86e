"""How telling one channel of one event went. Written by `notifications.receivers`, `.services` and `.delivery` only."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from typeid import TypeID

from channels_app.models import Channel
from channels_app.transports import Outcome
from channels_app.transports.rules import masked_url
from notifications.models.events import Event


def new_delivery_id() -> str:
    return str(TypeID("dlv"))


def new_attempt_id() -> str:
    return str(TypeID("att"))


class Trigger(models.TextChoices):
    """Why an attempt was made."""

    FIRST = "first", "First"
    AUTOMATIC = "automatic", "Automatic retry"
    MANUAL = "manual", "Manual retry"
    RECOVERED = "recovered", "Recovered"
    TEST = "test", "Test"
    REPLAY = "replay", "Replay"


class _OfEvents(models.Manager["Delivery"]):
    def get_queryset(self) -> models.QuerySet["Delivery"]:
        return super().get_queryset().filter(is_alert=False)


class _OfAlerts(models.Manager["AlertDelivery"]):
    def get_queryset(self) -> models.QuerySet["AlertDelivery"]:
        return super().get_queryset().filter(is_alert=True)


class Delivery(models.Model):
    """One event for one channel, and a row of the queue: pending and due at `next_attempt_at` (database time).

    In flight while `lease_token` is set; whoever holds the token may record the attempt, nobody else. A lease that ran
    out (its worker died) makes the row due again. `automatic_retries` counts those of the present cycle; a manual
    retry begins a new one. `unknowns_in_row` counts attempts whose worker died. `is_alert`: it tells of an alert,
    outside every rate, and counts nowhere; `objects` leaves it out, `AlertDelivery.objects` has it.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"

    id = models.CharField(primary_key=True, max_length=40, default=new_delivery_id, editable=False)
    # Its index serves an event's deliveries and retention.purge.
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    event_type = models.CharField(max_length=40)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    next_attempt_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    next_trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.FIRST)
    attempts_made = models.PositiveIntegerField(default=0)
    automatic_retries = models.PositiveSmallIntegerField(default=0)
    unknowns_in_row = models.PositiveSmallIntegerField(default=0)
    replayed = models.BooleanField(default=False, db_default=False, help_text="A replay began its present cycle.")
    is_alert = models.BooleanField(default=False, db_default=False, editable=False)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    # Recipients that have the message, where a channel has several: another attempt is for the others.
    reached = ArrayField(models.CharField(max_length=254), default=list, db_default=[], blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome, blank=True, help_text="Of the latest finished attempt.")
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="Why it is not delivered, in words.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = _OfEvents()
    every: ClassVar[models.Manager["Delivery"]] = models.Manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        indexes = [
            # delivery.claim: the due rows of one channel, oldest first. Also those that a deleted channel leaves.
            models.Index(fields=["channel", "next_attempt_at"], condition=Q(status="pending"), name="delivery_due"),
            # delivery.claim: the tests that people send, outside every rate.
            models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", next_trigger="test"),
                name="delivery_test_of_channel",
            ),
            # delivery.claim: what people have retried, before all others of its channel.
            models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", next_trigger="manual"),
                name="delivery_retried",
            ),
            # delivery.claim: what a worker died with, one at a time.
            models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", unknowns_in_row__gt=0),
                name="delivery_suspect",
            ),
            # delivery.claim: the alerts, outside every rate. alerts.turn: what waits for one target.
            models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(status="pending", is_alert=True),
                name="delivery_alert_due",
            ),
            # replay: how many of those that it has moved wait on a channel.
            models.Index(fields=["channel"], condition=Q(status="pending", replayed=True), name="delivery_replayed"),
            # delivery.claim: how many are in flight on each channel; delivery.chores: leases that ran out.
            models.Index(
                fields=["channel", "lease_expires_at"],
                condition=Q(lease_token__isnull=False),
                name="delivery_leased",
            ),
            # GET /deliveries and the log, filtered by one of these, newest first.
            models.Index(fields=["channel", "-id"], name="delivery_of_channel"),
            models.Index(fields=["event_type", "-id"], name="delivery_of_type"),
            models.Index(fields=["status", "-id"], name="delivery_of_status"),
            # replay: what failed on one channel since a time, oldest first. Also as delivery_succeeded.
            models.Index(fields=["channel", "finished_at"], condition=Q(status="failed"), name="delivery_failed"),
            # stats.recount: what succeeded in an hour; waiting: what a channel has just finished.
            models.Index(fields=["channel", "finished_at"], condition=Q(status="succeeded"), name="delivery_succeeded"),
            # GET /deliveries?created_after=.
            models.Index(fields=["created_at"], name="delivery_created"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["pending", "succeeded", "failed"]), name="delivery_status_known"
            ),
            # A pending row has a time, a finished one has none and holds no lease: nothing is in limbo.
            models.CheckConstraint(
                condition=Q(status="pending", next_attempt_at__isnull=False, finished_at__isnull=True)
                | Q(
                    status__in=["succeeded", "failed"],
                    next_attempt_at__isnull=True,
                    finished_at__isnull=False,
                    lease_token__isnull=True,
                ),
                name="delivery_pending_or_finished",
            ),
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True, lease_expires_at__isnull=True)
                | Q(lease_token__isnull=False, lease_expires_at__isnull=False),
                name="delivery_lease_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} to {self.channel}"

    @property
    def in_flight(self) -> bool:
        return self.lease_token is not None

    @property
    def shown_status(self) -> str:
        """The stored status, or `held` for a pending delivery of a paused channel."""
        goes = self.in_flight or self.next_trigger == Trigger.TEST
        if self.status == self.Status.PENDING and self.channel.paused_at and not goes:
            return "held"
        return self.status

    def fail_unbuilt(self, error: str) -> None:
        """Start as failed: its event has no body. Not saved."""
        self.status, self.outcome, self.error = self.Status.FAILED, Outcome.INTERNAL_ERROR, error
        self.next_attempt_at, self.finished_at = None, Now()


class AlertDelivery(Delivery):
    """An alert for one target: the administrators (a system channel), or a channel that was chosen for it.

    A failed one was refused for good, or withdrawn: then it has no outcome, and `error` says why.
    """

    objects = _OfAlerts()  # type: ignore[assignment,misc] # the others, instead

    class Meta:
        proxy = True
        default_permissions = ()

    @property
    def withdrawn(self) -> bool:
        return self.status == self.Status.FAILED and not self.outcome


# As `AlertDelivery.withdrawn`.
IS_WITHDRAWN = Q(status=Delivery.Status.FAILED, outcome="")
# So many tests that people send may be in flight on one channel, over all processes.
TESTS_AT_ONCE = 2
# What is recorded and not being sent right now. Tests go out even of a paused channel.
IS_WAITING = Q(status=Delivery.Status.PENDING, lease_token=None) & ~Q(next_trigger=Trigger.TEST)
# What `Delivery.shown_status` shows as held.
IS_HELD = IS_WAITING & Q(channel__paused_at__isnull=False)
# The large columns of a delivery's event, which a list leaves unread.
EVENT_TEXTS = ("event__body", "event__facts", "event__routing")


class DeliveryAttempt(models.Model):
    """One time that a delivery was sent, `started` until its outcome is recorded.

    `connection` holds the members of `channels_app.transports.Connection`; empty where nothing was recorded.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_attempt_id, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    trigger = models.CharField(max_length=10, choices=Trigger)
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.STARTED)
    url = models.CharField(max_length=2000, blank=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    request_headers = models.JSONField(default=dict)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)
    started_at = models.DateTimeField(db_default=Now())
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    connection = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            # Also the index behind a delivery's list of attempts.
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number_once"),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number}: {self.outcome}"

    @property
    def shown_url(self) -> str:
        """`url` as it may be shown: also one that was called before it became a secret. Reads the channel."""
        is_secret = bool(self.url) and self.delivery.channel.has_secret_url
        return masked_url(self.url) if is_secret else self.url
