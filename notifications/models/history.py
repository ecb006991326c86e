"""Who did what."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from channels_app.models import Channel


class HistoryEntry(models.Model):
    """One change that a person, an API key or Tidings itself made. Written by `notifications.history`, never changed.

    `sentence` says it in words, with the names as they were then; the other columns lead to what it is about, where
    there is such a thing.
    """

    class Action(models.TextChoices):
        ENABLED = "enabled", "Turned on"
        DISABLED = "disabled", "Turned off"
        ATTACHED = "attached", "Attached"
        SOURCES = "sources", "Sources changed"
        DETACHED = "detached", "Removed"
        CREATED = "created", "Created"
        EDITED = "edited", "Edited"
        PAUSED = "paused", "Paused"
        RESUMED = "resumed", "Resumed"
        REVEALED = "revealed", "Secret revealed"
        ROTATED = "rotated", "Secret rotated"
        SECRET_ENDED = "secret_ended", "Earlier secret ended"
        TESTED = "tested", "Test sent"
        DELETED = "deleted", "Deleted"
        RETRIED = "retried", "Retried"
        REPLAYED = "replayed", "Replayed"
        ERASED = "erased", "Personal data erased"
        KEY_MADE = "key_made", "API key made"
        KEY_REVOKED = "key_revoked", "API key revoked"
        ALERTS_ADDED = "alerts_added", "Chosen for alerts"
        ALERTS_REMOVED = "alerts_removed", "No longer told of alerts"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    by = models.CharField(max_length=150)
    action = models.CharField(max_length=20, choices=Action)
    sentence = models.TextField()
    channel = models.ForeignKey(Channel, null=True, on_delete=models.PROTECT, related_name="history", db_index=False)
    event_type = models.CharField(max_length=40, blank=True)
    delivery_id = models.CharField(max_length=40, blank=True)
    api_key_id = models.BigIntegerField(null=True, help_text="Not a foreign key: keys are of the shell's own tables.")

    class Meta:
        verbose_name = "history entry"
        verbose_name_plural = "history"
        ordering = ["-id"]
        indexes = [
            # The channel's page and the history filtered by channel, newest first.
            models.Index(fields=["channel", "-id"], condition=Q(channel__isnull=False), name="history_of_channel"),
            # The event type's page: newest first.
            models.Index(fields=["event_type", "-id"], condition=~Q(event_type=""), name="history_of_type"),
            # The page of an API key.
            models.Index(
                fields=["api_key_id", "-id"], condition=Q(api_key_id__isnull=False), name="history_of_api_key"
            ),
            # The history filtered by what was done, and by whom.
            models.Index(fields=["action", "-id"], name="history_of_action"),
            models.Index(fields=["by", "-id"], name="history_of_person"),
        ]

    def __str__(self) -> str:
        return self.sentence
