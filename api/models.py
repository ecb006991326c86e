"""API keys, of which only hashes are stored, and the answers kept for idempotent calls."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Scope(models.TextChoices):
    """The permission of a key: the calls of shops and funnels, or those of an administrator's script."""

    STOREFRONT = "storefront", "Storefront"
    MANAGE = "manage", "Manage"


class ApiKey(models.Model):
    """A key of the REST API, of which only the hash is kept.

    `key_hash` is the SHA-256 of the key in hexadecimal: a key has 256 random bits, so a slow hash would add nothing.
    `prefix` is the beginning of the key, by which people tell keys apart. `made_by` is the person who made it in the
    back office; None where a command did, or that person is deleted. The history has the name in any case.
    """

    name = models.CharField(max_length=100)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=20, editable=False)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="To the minute: it is written at most once in one."
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=["storefront", "manage"]), name="api_key_scopes_known"
            ),
            models.CheckConstraint(condition=Q(scopes__len__gte=1), name="api_key_has_a_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IdempotencyRecord(models.Model):
    """The kept answer to a POST with an `Idempotency-Key`, so that the same call again gets the same answer.

    `fingerprint` is the SHA-256 of method, path and body in hexadecimal; `encrypted_answer` holds status, headers and
    body, which can contain a signing secret.
    """

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    encrypted_answer = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Also the index of the look-up at each call.
            models.UniqueConstraint(fields=["api_key", "key"], name="idempotency_record_once_a_key"),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_record_purge")]

    def __str__(self) -> str:
        return self.key
