"""Sending again what failed."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from typeid import TypeID

from channels_app.models import Channel


def new_replay_id() -> str:
    return str(TypeID("rpl"))


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
