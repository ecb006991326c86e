"""A channel: where notifications go, and how."""

import json
from datetime import datetime, timedelta
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from typeid import TypeID

from channels_app import earlier_secrets, encryption
from channels_app.earlier_secrets import EarlierSecret
from channels_app.text import some
from channels_app.transports import Destination, kind_choices, takes
from channels_app.transports.rules import MASK, masked_url

NAMED_RECIPIENTS = 3


def new_channel_id() -> str:
    return str(TypeID("chn"))


def validate_kind(kind: str) -> None:
    """Raises `ValidationError` unless a transport has this kind."""
    if kind not in dict(kind_choices()):
        raise ValidationError("%(kind)s is not a kind of channel.", params={"kind": kind})


class Channels(models.Manager["Channel"]):
    """The channels that people have made."""

    def get_queryset(self) -> models.QuerySet["Channel"]:
        return super().get_queryset().filter(system=False)


class TooManySecrets(Exception):
    """As many earlier secrets as are possible sign at once, the first of them `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"{earlier_secrets.AT_ONCE} earlier secrets sign already, the first of them until {until}.")
        self.until = until


class Channel(models.Model):
    """One receiver. Its secret, its extra headers and its kind's settings, which carry credentials, are encrypted at
    rest.

    `url` is as people may see it: where it is a secret (`has_secret_url`), it is masked, and the whole one encrypted.
    A channel is active, paused or archived (deleted, kept for the log). `channels_app.services` changes it. A `system`
    channel is the product's own: no page, form or API shows it, and `objects` leaves it out.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        ARCHIVED = "archived", "Deleted"

    id = models.CharField(primary_key=True, max_length=40, default=new_channel_id, editable=False)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, validators=[validate_kind])
    url = models.CharField(max_length=2000, blank=True)
    url_is_secret = models.BooleanField(default=False, db_default=False, editable=False)
    encrypted_url = models.TextField(blank=True, default="", db_default="", editable=False)
    recipients = ArrayField(models.CharField(max_length=254), default=list, db_default=[], blank=True)
    encrypted_headers = models.TextField(blank=True, editable=False)
    encrypted_settings = models.TextField(blank=True, default="", db_default="", editable=False)
    encrypted_secret = models.TextField(blank=True, editable=False)
    encrypted_previous_secret = models.TextField(blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    earlier_secrets = models.TextField(blank=True, default="", db_default="", editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    pause_reason = models.CharField(max_length=500, blank=True, editable=False)
    resumed_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    system = models.BooleanField(default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = Channels()
    every: ClassVar[models.Manager["Channel"]] = models.Manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} (deleted)" if self.archived_at else self.name

    @property
    def status(self) -> str:
        if self.archived_at:
            return self.Status.ARCHIVED
        return self.Status.PAUSED if self.paused_at else self.Status.ACTIVE

    @property
    def has_secret_url(self) -> bool:
        """Whether the URL is a credential by itself, so that it is shown only where it is asked for."""
        return takes(self.kind).secret_url or self.url_is_secret

    @property
    def address(self) -> str:
        """The destination as people may see it: a masked URL, or e-mail addresses."""
        return ", ".join(self.recipients) or self.url

    @property
    def short_address(self) -> str:
        """`address` with at most three e-mail addresses, for lists."""
        if len(self.recipients) <= NAMED_RECIPIENTS + 1:
            return self.address
        return some(self.recipients, NAMED_RECIPIENTS)

    @property
    def whole_url(self) -> str:
        """The URL to call. Raises `encryption.SecretUnreadable`."""
        if self.encrypted_url:
            return encryption.decrypt(self.encrypted_url)
        if MASK in self.url and self.has_secret_url:
            raise encryption.SecretUnreadable(encryption.UNREADABLE)  # the masked one leads somewhere else
        return self.url

    @whole_url.setter
    def whole_url(self, value: str) -> None:
        secret = bool(value) and self.has_secret_url
        self.url = masked_url(value) if secret else value
        self.encrypted_url = encryption.encrypt(value) if secret else ""

    @property
    def readable_url(self) -> str | None:
        """`whole_url`, None where the key that encrypted it is lost."""
        try:
            return self.whole_url
        except encryption.SecretUnreadable:
            return None

    @property
    def secret(self) -> str:
        """The signing secret (`whsec_...`), "" for a kind without one. Raises `encryption.SecretUnreadable`."""
        return encryption.decrypt(self.encrypted_secret) if self.encrypted_secret else ""

    @secret.setter
    def secret(self, value: str) -> None:
        self.encrypted_secret = encryption.encrypt(value) if value else ""

    @property
    def headers(self) -> dict[str, str]:
        """The extra headers sent along. Raises `encryption.SecretUnreadable`."""
        return json.loads(encryption.decrypt(self.encrypted_headers)) if self.encrypted_headers else {}

    @headers.setter
    def headers(self, value: dict[str, str]) -> None:
        self.encrypted_headers = encryption.encrypt(json.dumps(value)) if value else ""

    @property
    def readable_secret(self) -> str | None:
        """`secret`, None where the key that encrypted it is lost."""
        try:
            return self.secret
        except encryption.SecretUnreadable:
            return None

    @property
    def readable_headers(self) -> dict[str, str] | None:
        """`headers`, None where the key that encrypted them is lost."""
        try:
            return self.headers
        except encryption.SecretUnreadable:
            return None

    @property
    def settings(self) -> dict[str, str]:
        """The settings of its kind (`Takes.settings`), by name. Raises `encryption.SecretUnreadable`."""
        return json.loads(encryption.decrypt(self.encrypted_settings)) if self.encrypted_settings else {}

    @settings.setter
    def settings(self, value: dict[str, str]) -> None:
        self.encrypted_settings = encryption.encrypt(json.dumps(value)) if value else ""

    @property
    def readable_settings(self) -> dict[str, str] | None:
        """`settings`, None where the key that encrypted them is lost."""
        try:
            return self.settings
        except encryption.SecretUnreadable:
            return None

    @property
    def shown_settings(self) -> dict[str, str] | None:
        """`readable_settings` as people may see them: each that its kind has, the secret ones masked."""
        settings = self.readable_settings
        if settings is None:
            return None
        values = {each: settings.get(each.name, "") for each in takes(self.kind).settings}
        return {each.name: MASK if each.secret and value else value for each, value in values.items()}

    @property
    def is_readable(self) -> bool:
        """Whether what it sends with can be read; if not, nothing can be sent to it."""
        try:
            self.destination()
        except encryption.SecretUnreadable:
            return False
        return True

    def secrets_before(self, now: datetime) -> list[EarlierSecret]:
        """The replaced secrets that still sign at `now`, the latest first."""
        kept = earlier_secrets.parse(self.earlier_secrets)
        if self.previous_secret_until and self.encrypted_previous_secret:
            kept.insert(0, EarlierSecret(self.encrypted_previous_secret, self.previous_secret_until))
        return [each for each in kept if each.until > now]

    def rotate_secret(self, secret: str, *, overlap: timedelta, now: datetime) -> None:
        """Sign with `secret` from now on, and with the present one as well for as long as `overlap`. Not saved.

        Those before go on until their own times. One that cannot be read could not sign, and would keep the new one
        from it: it ends at once. Raises `TooManySecrets`.
        """
        before = [each for each in self.secrets_before(now) if each.readable is not None]
        if overlap and self.encrypted_secret and self.readable_secret is not None:
            if len(before) >= earlier_secrets.AT_ONCE:
                raise TooManySecrets(min(each.until for each in before))
            before.insert(0, EarlierSecret(self.encrypted_secret, now + overlap))
        self.secret = secret
        self._keep_before(before)

    def end_secret(self, key: str, *, now: datetime) -> EarlierSecret | None:
        """Sign no more with the one before of this `EarlierSecret.key`; None where it has ended. Not saved."""
        before = self.secrets_before(now)
        ended = next((each for each in before if each.key == key), None)
        self._keep_before([each for each in before if each is not ended])
        return ended

    def _keep_before(self, before: list[EarlierSecret]) -> None:
        self.encrypted_previous_secret = before[0].encrypted if before else ""
        self.previous_secret_until = before[0].until if before else None
        self.earlier_secrets = earlier_secrets.dump(before[1:])

    def destination(self, *, now: datetime | None = None) -> Destination:
        """The channel as a transport needs it, without the database. Raises `encryption.SecretUnreadable`.

        `now` decides which secrets are in force: the database's time, where it is known, since that set their ends.
        """
        stored, declared = self.settings, takes(self.kind)
        return Destination(
            kind=self.kind,
            url=self.whole_url,
            headers=self.headers,
            secrets=self._secrets_in_force(now or timezone.now()),
            recipients=tuple(self.recipients),
            channel_id=str(self.pk),
            url_is_secret=self.has_secret_url,
            settings={each.name: stored.get(each.name, "") for each in declared.settings},
            secret_settings=tuple(filter(None, (stored.get(each.name) for each in declared.secret_settings))),
        )

    def _secrets_in_force(self, now: datetime) -> tuple[str, ...]:
        """Newest first."""
        present = [self.secret] if self.encrypted_secret else []
        return (*present, *(each.secret for each in self.secrets_before(now)))
