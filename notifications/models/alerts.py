"""What administrators and chosen channels are told when something goes wrong, and how telling each of them went."""

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce, Now
from typeid import TypeID

from channels_app.models import Channel
from notifications.events.alerts import AlertKind
from notifications.models.events import Event


def new_alert_id() -> str:
    return str(TypeID("alr"))


class Alert(models.Model):
    """An event of Tidings itself: what is to be told, written in the transaction of its cause.

    `channel` is the one that it is about, null where it is about none. `facts` is what was so when it was written.
    Until the first of its deliveries has its turn, `body` is null and a newer alert of the same cause (kind and
    channel) takes its place; then `body`, for postbacks, and `words`, for people, are frozen. `open`: what it tells of
    lasts, or that it is over is still to be told. `told_with`: the alert that speaks of this one as well, to the
    targets that both have.
    """

    Kind = AlertKind

    # Without a constraint: processes of before this column referred to events write alerts that are none yet.
    event = models.OneToOneField(
        Event, primary_key=True, db_column="id", on_delete=models.CASCADE, related_name="alert", db_constraint=False
    )
    kind = models.CharField(max_length=20, choices=Kind)
    channel = models.ForeignKey(Channel, null=True, on_delete=models.PROTECT, related_name="alerts", db_index=False)
    facts = models.JSONField(default=dict)
    words = models.JSONField(default=dict)
    body = models.TextField(null=True)  # noqa: DJ001 (null is "not yet")
    open = models.BooleanField(default=False)
    told_with = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-event_id"]
        indexes = [
            # alerts: those of this kind on a channel, the latest first.
            models.Index(fields=["channel", "kind", "-event"], name="alert_of_channel"),
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


class AlertChannel(models.Model):
    """A channel that is told of alerts, beside the administrators."""

    channel = models.OneToOneField(Channel, primary_key=True, on_delete=models.CASCADE, related_name="told_of_alerts")
    chosen_by = models.CharField(max_length=150)
    chosen_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return str(self.channel)
