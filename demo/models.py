"""The demo's tables: requests and messages that arrived, mail that was kept, and the state of a receiver."""

import json
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from demo.mails import opens_an_account


class ReceivedPostback(models.Model):
    """A postback that arrived at `/demo/receiver/<receiver>/`; sent again under the same id it stays one row.

    All but `times_received` is of its latest arrival. `signature_holds` is null where it cannot be checked.
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
            # The page, newest first, and `forget_oldest`.
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
        return _indented(self.body)


class ReceiverState(models.Model):
    """Whether a receiver that can be broken works. No row: never touched, so broken."""

    receiver = models.CharField(primary_key=True, max_length=50)
    works = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.receiver} {'works' if self.works else 'is broken'}"


class SlackMessage(models.Model):
    """A message that arrived at `/demo/slack/<receiver>/`, and what was answered. Slack's have no id: each is a row."""

    receiver = models.CharField(max_length=50)
    body = models.TextField(blank=True)
    answered = models.PositiveSmallIntegerField(help_text="The status code that it was answered with.")
    answer = models.CharField(max_length=50, help_text="The text that it was answered with.")
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Message to {self.receiver}"

    @property
    def readable_body(self) -> str:
        """The body, indented where it is JSON."""
        return _indented(self.body)


class KeptMails(models.QuerySet["KeptMail"]):
    """Mails by who may read them."""

    def shown_to(self, person: User | AnonymousUser) -> "KeptMails":
        """All of them for a superuser; for others none that lets its reader into another person's account."""
        if person.is_active and person.is_superuser:
            return self
        for mail in self.filter(for_superusers=None).iterator(chunk_size=50):  # of before, or of an older process
            self.filter(pk=mail.pk).update(for_superusers=opens_an_account(bytes(mail.raw)))
        return self.filter(for_superusers=False)


class KeptMail(models.Model):
    """A mail that the demo kept in place of sending it, by `demo.outbox`.

    Sent again under the same Message-ID it stays one row: the first of them, with the recipients of all. `raw` is the
    whole message as it would have gone over the wire.
    """

    message_id = models.CharField(max_length=998)
    subject = models.TextField(blank=True)
    sender = models.TextField(blank=True)
    recipients = ArrayField(models.TextField(), default=list)
    raw = models.BinaryField()
    for_superusers = models.BooleanField(
        null=True, help_text="Whether it opens somebody's account; null while nobody has looked."
    )
    times_received = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)

    objects = models.Manager.from_queryset(KeptMails)()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["message_id"], name="kept_message_id_once")]

    def __str__(self) -> str:
        return self.subject or self.message_id


def _indented(body: str) -> str:
    try:
        parsed: Any = json.loads(body)
        indented = json.dumps(parsed, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
    return indented.encode(errors="replace").decode()  # half a character, as JSON can escape it, is no text


def storable(value: str, longest: int | None = None) -> str:
    """`value` without what PostgreSQL cannot store (NUL, lone surrogates), cut to `longest` characters."""
    return value.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:longest]


def forget_oldest(model: type[models.Model], *, kept: int) -> None:
    """Delete all rows but the first `kept` in the order of the model."""
    too_many = list(model._default_manager.values_list("pk", flat=True)[kept : 2 * kept])
    if too_many:
        model._default_manager.filter(pk__in=too_many).delete()
