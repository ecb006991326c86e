"""What is learnt of channels, and of ourselves."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from channels_app.models import Channel

# From the fifth failure in a row on a channel counts as failing, and is asked by single probes.
FAILURES_BEFORE_PROBING = 5


class ChannelHealth(models.Model):
    """What the engine has learnt of a channel; no row: nothing bad yet.

    `failures_in_row` is how many failed one after the other in the order in which they were sent, as far as that is
    known: see `notifications.delivery.health`. `failures_sent_at` are the times at which the latest of them were sent,
    `success_sent_at` that of the latest success.

    `in_flight_cap` is lowered to 1 by a timeout, and by resuming with a backlog; it grows by one with each success
    until it is null again (no own cap). From the fifth failure in a row one probe goes out at a time, not before
    `probe_at`. `failing_since` is when the first of the failures in a row was recorded, `last_failed_at` when the last
    of them was, `latest_error` what that said; null and "" when well. `stage` is the last thing that was written to be
    told of a failing channel, at `stage_at`: one of before the channel was resumed does not count any more.
    """

    class Stage(models.TextChoices):
        FAILING = "failing", "Told that it fails"
        WARNED = "warned", "Warned"
        LAST_WARNED = "last_warned", "Warned for the last time"

    channel = models.OneToOneField(Channel, primary_key=True, on_delete=models.CASCADE, related_name="health")
    in_flight_cap = models.PositiveIntegerField(null=True)
    failures_in_row = models.PositiveIntegerField(default=0)
    failures_sent_at = ArrayField(models.DateTimeField(), default=list, db_default=[])
    success_sent_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    latest_error = models.TextField(blank=True)
    probe_at = models.DateTimeField(null=True)
    stage = models.CharField(max_length=20, choices=Stage, blank=True)
    stage_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "channel health"
        constraints = [
            models.CheckConstraint(
                condition=Q(stage="", stage_at__isnull=True)
                | Q(stage__in=["failing", "warned", "last_warned"], stage_at__isnull=False),
                name="channelhealth_stage_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.failures_in_row} failures in a row"

    @classmethod
    def of(cls, channel: Channel) -> "ChannelHealth":
        """Reads `channel.health`; where nothing bad was learnt yet, one that says so. Not saved."""
        known: ChannelHealth | None = getattr(channel, "health", None)
        return known or cls(channel_id=channel.pk)

    @property
    def failing(self) -> bool:
        """Whether the channel keeps failing."""
        return self.failures_in_row >= FAILURES_BEFORE_PROBING


class ChannelBacklog(models.Model):
    """A channel at its cap that is late, as `notifications.alerts.watching` saw it last.

    `due` is how much waited at `seen_at`: where more waits at the next look, the receiver is slower than what comes in.
    """

    channel = models.OneToOneField(Channel, primary_key=True, on_delete=models.CASCADE, related_name="+")
    due = models.PositiveIntegerField()
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.channel_id}: {self.due} due at {self.seen_at:%H:%M:%S}"


class ChannelHour(models.Model):
    """What one channel's deliveries came to in one hour. Written by `notifications.delivery`, read by `.stats`.

    `succeeded` and `failed` count the deliveries that were last finished in this hour, `latencies` the attempts that
    got an answer, by how long that took: one count for each of `notifications.latencies.BOUNDS_MS`. Tests that people
    send are not counted.
    """

    # Without a constraint, so that counting takes no lock on the channel's row; channels are archived, never deleted.
    channel = models.ForeignKey(
        Channel, on_delete=models.DO_NOTHING, related_name="hours", db_constraint=False, db_index=False
    )
    hour = models.DateTimeField(help_text="Its beginning, a full hour of UTC.")
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    latencies = ArrayField(models.PositiveIntegerField())

    class Meta:
        indexes = [
            # stats.last_day of all channels; retention.purge.
            models.Index(fields=["hour"], name="channelhour_hour"),
        ]
        constraints = [
            # Also the index behind one channel's hours.
            models.UniqueConstraint(fields=["channel", "hour"], name="channelhour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel_id} {self.hour:%Y-%m-%d %H:00}: {self.succeeded} succeeded, {self.failed} failed"


class Heartbeat(models.Model):
    """When a worker last claimed and when beat last ran, for `check_delivery` and `/healthz/deliveries`.

    And until when `notifications.recounting` has counted, and when the last purge ended.
    """

    class Name(models.TextChoices):
        WORKER = "worker", "Worker"
        BEAT = "beat", "Beat"
        RECOUNT = "recount", "Recount"
        PURGE = "purge", "Purge"

    name = models.CharField(primary_key=True, max_length=10, choices=Name)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%H:%M:%S}"
