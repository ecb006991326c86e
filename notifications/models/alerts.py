"""What administrators are told by e-mail."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from channels_app.models import Channel


class Alert(models.Model):
    """A message to the notification administrators, written in the transaction of its cause and sent afterwards.

    Written and sent by `notifications.alerts`. `facts` is what was so then: for `failing` the failures in a row, since
    when and the latest error; for `paused` by whom and why. Due at `next_try_at`; done once it was sent, or withdrawn
    because it was no longer true when its turn came.
    """

    class Kind(models.TextChoices):
        FAILING = "failing", "A channel keeps failing"
        PAUSED = "paused", "A channel was paused"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, choices=Kind)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="alerts", db_index=False)
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    next_try_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, help_text="Why it could not be sent at the last try.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            # alerts.send_due: the waiting ones, the longest due first.
            models.Index(fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="alert_waiting"),
            # alerts: the latest of this kind on a channel.
            models.Index(fields=["channel", "kind", "-id"], name="alert_of_channel"),
        ]
        constraints = [
            # A cause that waits to be told is not told twice.
            models.UniqueConstraint(
                fields=["channel", "kind"], condition=Q(next_try_at__isnull=False), name="alert_waiting_once"
            ),
            models.CheckConstraint(
                condition=Q(next_try_at__isnull=False, sent_at__isnull=True, withdrawn_at__isnull=True)
                | Q(next_try_at__isnull=True, sent_at__isnull=False, withdrawn_at__isnull=True)
                | Q(next_try_at__isnull=True, sent_at__isnull=True, withdrawn_at__isnull=False),
                name="alert_waiting_sent_or_withdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.channel}"
