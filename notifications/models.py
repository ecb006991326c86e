"""What happened, whom it concerns, and how telling them went.

The three nouns: an event is recorded once with its body; a delivery is one event for one channel; an attempt is one
time that a delivery was sent. Written by `notifications.receivers`, `.services` and `.delivery` only.
"""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from typeid import TypeID

from channels_app.models import Channel
from channels_app.transports import Outcome
from notifications import catalogue
from orders.models import Contact, Order, Source

TEST_EVENT_PREFIX = "evt_test"


def new_event_id() -> str:
    return str(TypeID("evt"))


def new_test_event_id() -> str:
    """Receivers tell a test by the beginning of its id."""
    return str(TypeID(TEST_EVENT_PREFIX))


def new_replay_id() -> str:
    return str(TypeID("rpl"))


def new_delivery_id() -> str:
    return str(TypeID("dlv"))


def new_attempt_id() -> str:
    return str(TypeID("att"))


def validate_event_type(key: str) -> None:
    if key not in catalogue.EVENT_TYPES:
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


class Event(models.Model):
    """One occurrence, recorded in the transaction that made it so.

    `body` is what every channel receives, frozen as text so that its bytes never change; null only where building it
    failed, and then built from `facts` by a retry. `routing` keeps for each attached channel what became of it:
    `{"channel": id, "name": its name then, "outcome": a RoutingOutcome, "delivery": id or null}`.
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

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The order's page and GET /events?order=: what happened to one order, newest first.
            models.Index(fields=["order", "-id"], condition=Q(order__isnull=False), name="event_of_order"),
            # The contact's page: what concerned one person, newest first.
            models.Index(fields=["contact", "-id"], condition=Q(contact__isnull=False), name="event_of_contact"),
            # GET /events?event_type=: one type, newest first.
            models.Index(fields=["type", "-id"], name="event_of_type"),
            # retention.purge: the oldest first.
            models.Index(fields=["created_at"], name="event_created"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(source__in=["admin", "shop", "funnel"]), name="event_source_known"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class Trigger(models.TextChoices):
    """Why an attempt was made."""

    FIRST = "first", "First"
    AUTOMATIC = "automatic", "Automatic retry"
    MANUAL = "manual", "Manual retry"
    RECOVERED = "recovered", "Recovered"
    TEST = "test", "Test"
    REPLAY = "replay", "Replay"


class Delivery(models.Model):
    """One event for one channel, and a row of the queue: pending and due at `next_attempt_at` (database time).

    In flight while `lease_token` is set; whoever holds the token may record the attempt, nobody else. A lease that ran
    out (its worker died) makes the row due again. `automatic_retries` counts those of the present cycle; a manual
    retry begins a new one. `unknowns_in_row` counts attempts whose worker died.
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
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome, blank=True, help_text="Of the latest finished attempt.")
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="Why it is not delivered, in words.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        indexes = [
            # delivery.claim: the due rows of one channel, oldest first. Also those that a deleted channel leaves.
            models.Index(fields=["channel", "next_attempt_at"], condition=Q(status="pending"), name="delivery_due"),
            # delivery.claim: the tests that people send, outside every rate.
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status="pending", next_trigger="test"),
                name="delivery_test_due",
            ),
            # delivery.claim: how many are in flight on each channel; delivery.recover: leases that ran out.
            models.Index(fields=["channel"], condition=Q(lease_token__isnull=False), name="delivery_in_flight"),
            # GET /deliveries and the log, filtered by one of these, newest first.
            models.Index(fields=["channel", "-id"], name="delivery_of_channel"),
            models.Index(fields=["event_type", "-id"], name="delivery_of_type"),
            models.Index(fields=["status", "-id"], name="delivery_of_status"),
            # replay: what failed on one channel since a time, oldest first.
            models.Index(fields=["channel", "finished_at"], condition=Q(status="failed"), name="delivery_failed"),
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
        self.next_attempt_at, self.finished_at = None, timezone.now()


class DeliveryAttempt(models.Model):
    """One time that a delivery was sent, `started` until its outcome is recorded."""

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
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            # Also the index behind a delivery's list of attempts.
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number_once"),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number}: {self.outcome}"


class ReplayJob(models.Model):
    """Failed deliveries of one channel, sent again a few at a time. `notifications.replay` moves it on.

    It takes what failed from `since` until the job was made, so what fails again is not taken twice. `count` is how
    many there were then, `replayed` how many have been made pending. A dry run only counts.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        FINISHED = "finished", "Finished"

    id = models.CharField(primary_key=True, max_length=40, default=new_replay_id, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="replays")
    since = models.DateTimeField()
    event_types = ArrayField(models.CharField(max_length=40), default=list, help_text="Empty: all.")
    dry_run = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    count = models.PositiveIntegerField()
    replayed = models.PositiveIntegerField(default=0)
    requested_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["running", "finished"]), name="replay_status_known"),
            # Two at once would take the same deliveries. Also the index behind replay.advance.
            models.UniqueConstraint(fields=["channel"], condition=Q(status="running"), name="replay_one_a_channel"),
        ]

    def __str__(self) -> str:
        return f"Replay to {self.channel}: {self.replayed} of {self.count}"


class ChannelHealth(models.Model):
    """What the engine has learnt of a channel; no row: nothing bad yet.

    `in_flight_cap` is lowered to 1 by a timeout and grows by one with each success until it is null again (no own
    cap). From the fifth failure in a row one probe goes out at a time, not before `probe_at`.
    """

    channel = models.OneToOneField(Channel, primary_key=True, on_delete=models.CASCADE, related_name="health")
    in_flight_cap = models.PositiveIntegerField(null=True)
    failures_in_row = models.PositiveIntegerField(default=0)
    probe_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "channel health"

    def __str__(self) -> str:
        return f"{self.channel}: {self.failures_in_row} failures in a row"


class Heartbeat(models.Model):
    """When a worker last claimed and when beat last ran, for `check_delivery` and `/readyz`."""

    class Name(models.TextChoices):
        WORKER = "worker", "Worker"
        BEAT = "beat", "Beat"

    name = models.CharField(primary_key=True, max_length=10, choices=Name)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%H:%M:%S}"
