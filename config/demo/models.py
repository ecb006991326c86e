"""What the demo's own receivers keep: the postbacks that arrived, and whether the failing one has been repaired."""

import json
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone


class ReceivedPostback(models.Model):
    """A postback that arrived at `/demo/receiver/<receiver>/`; sent again under the same id it stays one row.

    All but `times_received` is of its latest arrival. `signature_holds` is null where that cannot be told.
    """

    receiver = models.CharField(max_length=50)
    webhook_id = models.CharField(max_length=200, blank=True)
    event_type = models.CharField(max_length=100, blank=True)
    source = models.CharField(max_length=20, blank=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    signature_holds = models.BooleanField(null=True)
    signature_reason = models.CharField(max_length=300)
    answered = models.PositiveSmallIntegerField(help_text="The status code that it was answered with.")
    times_received = models.PositiveIntegerField(default=1)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [
            # The page, newest first, and receiving.forget_oldest.
            models.Index(fields=["-received_at", "-id"], name="received_newest_first"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["receiver", "webhook_id"], condition=~Q(webhook_id=""), name="received_id_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type or 'Postback'} {self.webhook_id}".strip()

    @property
    def readable_body(self) -> str:
        """The body, indented where it is JSON."""
        try:
            parsed: Any = json.loads(self.body)
            indented = json.dumps(parsed, indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.body
        return indented.encode(errors="replace").decode()  # half a character, as JSON can escape it, is no text


class ReceiverState(models.Model):
    """Whether a receiver that can be broken works. No row: never touched, so broken."""

    receiver = models.CharField(primary_key=True, max_length=50)
    works = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.receiver} {'works' if self.works else 'is broken'}"
