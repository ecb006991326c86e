"""What administrators and chosen channels are told when something goes wrong, and how telling each of them went."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce, Now
from typeid import TypeID

from channels_app.models import Channel


def new_alert_id() -> str:
    return str(TypeID("alr"))


def new_alert_copy_id() -> str:
    return str(TypeID("alc"))


class Alert(models.Model):
    """Something to tell, written in the transaction of its cause. Written and sent by `notifications.alerts`.

    `channel` is the one that it is about, null where it is about none. `facts` is what was so when it was written.
    Until its first copy has its turn, `body` is null and a newer alert of the same cause (kind and channel) takes its
    place; then `body`, for postbacks, and `words`, for people, are frozen. `open`: what it tells of lasts, or that it
    is over is still to be told.
    """

    class Kind(models.TextChoices):
        FAILING = "failing", "A channel keeps failing"
        STILL_FAILING = "still_failing", "A channel still fails"
        LAST_WARNING = "last_warning", "Last warning before a channel is paused"
        PAUSED = "paused", "A channel was paused"
        RECOVERED = "recovered", "A channel has recovered"
        UNREADABLE = "unreadable", "The secrets of a channel cannot be read"
        OVERDUE = "overdue", "Deliveries wait for too long"
        ON_TIME = "on_time", "Deliveries go out in time again"
        LOST = "lost", "Deliveries failed with their workers"
        SLOW = "slow", "A receiver is slower than what comes in"
        CAUGHT_UP = "caught_up", "A receiver has caught up"
        TEST = "test", "Test"

    id = models.CharField(primary_key=True, max_length=40, default=new_alert_id, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    channel = models.ForeignKey(Channel, null=True, on_delete=models.PROTECT, related_name="alerts", db_index=False)
    facts = models.JSONField(default=dict)
    words = models.JSONField(default=dict)
    body = models.TextField(null=True)  # noqa: DJ001 (null is "not yet")
    open = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # alerts: those of this kind on a channel, the latest first.
            models.Index(fields=["channel", "kind", "-id"], name="alert_of_channel"),
            # alerts.watching: those whose end is to be told.
            models.Index(fields=["kind", "channel"], condition=Q(open=True), name="alert_open"),
        ]
        constraints = [
            # A cause that waits to be told is not told twice. An expression, since to PostgreSQL no null is another.
            models.UniqueConstraint(
                Coalesce("channel_id", Value(""), output_field=models.CharField()),
                "kind",
                condition=Q(body__isnull=True),
                name="alert_waiting_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.channel}" if self.channel else self.get_kind_display()


class AlertCopy(models.Model):
    """An alert for one target: the administrators by e-mail (`channel` null), or a chosen channel.

    It waits until `next_try_at`, and ends sent, given up (refused for good) or withdrawn (`error` says why). While it
    is being sent `claimed_at` is set, and `next_try_at` is when another process takes it up. `reached` are those
    recipients that have it already.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_alert_copy_id, editable=False)
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="copies", db_index=False)
    channel = models.ForeignKey(
        Channel, null=True, on_delete=models.PROTECT, related_name="alert_copies", db_index=False
    )
    next_try_at = models.DateTimeField(null=True, db_default=Now())
    claimed_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    reached = ArrayField(models.CharField(max_length=254), default=list)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, help_text="Why it was not sent at the last try, or will never be.")

    class Meta:
        verbose_name_plural = "alert copies"
        ordering = ["id"]
        indexes = [
            # alerts.claiming: the waiting ones, the longest due first.
            models.Index(fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="alertcopy_waiting"),
        ]
        constraints = [
            # Also the index behind an alert's copies.
            models.UniqueConstraint(fields=["alert", "channel"], name="alertcopy_once"),
            models.UniqueConstraint(fields=["alert"], condition=Q(channel=None), name="alertcopy_administrators_once"),
            models.CheckConstraint(
                condition=Q(
                    next_try_at__isnull=False, sent_at__isnull=True, given_up_at__isnull=True, withdrawn_at__isnull=True
                )
                | Q(next_try_at__isnull=True, claimed_at__isnull=True)
                & (
                    Q(sent_at__isnull=False, given_up_at__isnull=True, withdrawn_at__isnull=True)
                    | Q(sent_at__isnull=True, given_up_at__isnull=False, withdrawn_at__isnull=True)
                    | Q(sent_at__isnull=True, given_up_at__isnull=True, withdrawn_at__isnull=False)
                ),
                name="alertcopy_waits_or_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alert} to {self.channel or 'the administrators'}"


class AlertChannel(models.Model):
    """A channel that is told of alerts, beside the administrators."""

    channel = models.OneToOneField(Channel, primary_key=True, on_delete=models.CASCADE, related_name="told_of_alerts")
    chosen_by = models.CharField(max_length=150)
    chosen_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return str(self.channel)
