"""Changes of channels. `notifications.services` calls these, and sees to attachments and deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from channels_app.earlier_secrets import EarlierSecret
from channels_app.models import Channel
from channels_app.transports import kind_choices, kind_label, takes
from channels_app.transports.fields import SettingsRefused, checked_settings
from channels_app.transports.postback.signature import new_secret
from channels_app.transports.rules import MASK, RecipientsRefused, check_headers, check_recipients, check_url


class _Unset:
    """The default of an argument that was not given, where None is a value."""


UNSET: Any = _Unset()


SECRETS_BEFORE = ["encrypted_previous_secret", "previous_secret_until", "earlier_secrets"]


def create_channel(
    *,
    name: str,
    kind: str,
    url: str | None = None,
    headers: dict[str, str] | None = None,
    recipients: Sequence[str] | None = None,
    url_is_secret: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Channel:
    """Save a new active channel; one whose messages are signed gets a fresh secret.

    `settings` are what only this kind needs, by name. Raises `ValidationError` with the field (`settings.<name>`):
    unknown kind, no name, an unusable URL, header, recipient or setting, and what the kind needs and was not given, or
    was given and does not take.
    """
    if kind not in dict(kind_choices()):
        raise ValidationError({"kind": [f"Choose one of: {', '.join(dict(kind_choices()))}."]})
    channel = Channel(name=name, kind=kind, created_at=Now())
    if takes(kind).signing_secret:
        channel.secret = new_secret()
    channel = _save(
        channel,
        url=url or "",
        headers=headers or {},
        recipients=recipients or [],
        url_is_secret=url_is_secret or UNSET,
        settings=settings or {},
    )
    channel.refresh_from_db(fields=["created_at"])
    return channel


@transaction.atomic
def update_channel(
    *,
    channel_id: str,
    name: str = UNSET,
    url: str = UNSET,
    headers: dict[str, str] = UNSET,
    recipients: Sequence[str] = UNSET,
    url_is_secret: bool = UNSET,
    settings: Mapping[str, str] = UNSET,
) -> Channel:
    """Change what is given; deliveries use it from their next attempt on. The kind of a channel is for life.

    A setting that is left out of `settings` stays as it is, unless the stored ones cannot be read.

    A URL that is a secret is one until it is given anew: else a user without that permission could have it shown.

    Raises `ValidationError` like `create_channel`, `Channel.DoesNotExist` for an unknown or deleted one.
    """
    channel = lock_channel(channel_id)
    if name is not UNSET:
        channel.name = name
    return _save(
        channel, url=url, headers=headers, recipients=recipients, url_is_secret=url_is_secret, settings=settings
    )


@transaction.atomic
def pause_channel(*, channel_id: str, reason: str) -> Channel:
    """Hold its deliveries from now on; what is in flight ends. Pausing a paused channel keeps the first reason."""
    channel = lock_channel(channel_id)
    if channel.paused_at is None:
        channel.paused_at, channel.pause_reason = Now(), reason
        channel.save(update_fields=["paused_at", "pause_reason"])
        channel.refresh_from_db(fields=["paused_at"])
    return channel


@transaction.atomic
def resume_channel(*, channel_id: str) -> Channel:
    """Let its deliveries go again. `notifications.services.resume_channel` also ends a back-off."""
    channel = lock_channel(channel_id)
    if channel.paused_at is not None:
        channel.paused_at, channel.pause_reason, channel.resumed_at = None, "", Now()
        channel.save(update_fields=["paused_at", "pause_reason", "resumed_at"])
        channel.refresh_from_db(fields=["resumed_at"])
    return channel


@transaction.atomic
def rotate_secret(*, channel_id: str, overlap: timedelta) -> Channel:
    """Give the channel a new signing secret; for as long as `overlap` the one that it replaces signs as well.

    No overlap (zero) is for a secret that leaked. Those before go on until their own times in either case.
    Raises `Channel.DoesNotExist` and `TooManySecrets`.
    """
    channel = lock_channel(channel_id)
    channel.rotate_secret(new_secret(), overlap=overlap, now=_now(channel))
    channel.save(update_fields=["encrypted_secret", *SECRETS_BEFORE])
    return channel


@transaction.atomic
def end_secret(*, channel_id: str, key: str) -> EarlierSecret | None:
    """Sign no more with this earlier secret; None where it has ended already. Raises `Channel.DoesNotExist`."""
    channel = lock_channel(channel_id)
    ended = channel.end_secret(key, now=_now(channel))
    channel.save(update_fields=SECRETS_BEFORE)
    return ended


def _now(channel: Channel) -> datetime:
    """The database's time, by which the workers sign."""
    now: datetime = Channel.objects.values_list(Now(), flat=True).get(pk=channel.pk)
    return now


def lock_channel(channel_id: str) -> Channel:
    """The row of a channel that is not deleted, locked: always before the rows of its deliveries."""
    return Channel.objects.select_for_update(no_key=True).get(pk=channel_id, archived_at__isnull=True)


def _save(
    channel: Channel,
    *,
    url: str,
    headers: dict[str, str],
    recipients: Sequence[str],
    url_is_secret: bool,
    settings: Mapping[str, str],
) -> Channel:
    """Set the fields and save. An argument is UNSET where the field stays as it is, empty where it becomes empty."""
    errors: dict[str, list[str]] = {}
    wanted = takes(channel.kind)
    was_secret = channel.has_secret_url
    if url_is_secret is not UNSET:
        try:
            _mark_url(channel, url_is_secret, is_given=url is not UNSET)
        except ValueError as error:
            errors["url_is_secret"] = [str(error)]
    for field, value, takes_it in (
        ("url", url, wanted.url is not None),
        ("headers", headers, wanted.headers is not None),
        ("recipients", recipients, wanted.recipients is not None),
        ("settings", settings, bool(wanted.settings)),
    ):
        if value is UNSET or (not value and not takes_it):
            continue
        if not takes_it:
            errors[field] = [f"{_plural(channel)} take no {NAMES[field]}."]
            continue
        try:
            _set(channel, field, value, masked=was_secret)
        except RecipientsRefused as error:
            errors |= {f"recipients[{index}]": [sentence] for index, sentence in error.by_index.items()}
        except SettingsRefused as error:
            errors |= {f"settings.{name}": [sentence] for name, sentence in error.by_name.items()}
        except ValueError as error:
            errors[field] = [str(error)]
    try:
        channel.clean_fields(exclude={*errors, "created_at"})
    except ValidationError as error:
        raise ValidationError({**error.message_dict, **errors}) from error
    if errors:
        raise ValidationError(errors)
    channel.save()
    return channel


NAMES = {"url": "URL", "headers": "extra headers", "recipients": "recipients", "settings": "settings"}


def _mark_url(channel: Channel, secret: bool, *, is_given: bool) -> None:
    """Have the URL be a secret, or not. `is_given`: it is given anew. Raises `ValueError` with a sentence."""
    wanted = takes(channel.kind)
    if secret and not wanted.url:
        raise ValueError(f"{_plural(channel)} take no URL.")
    if wanted.secret_url:
        if not secret:
            raise ValueError(f"The URL of {_plural(channel)} is always a secret.")
    elif secret and not channel.url_is_secret:
        present = channel.url
        channel.url_is_secret = True
        channel.whole_url = present
    elif channel.url_is_secret and not secret:
        if not is_given:
            raise ValueError("Give the URL as well: one that is a secret is not shown to whoever does not know it.")
        channel.url_is_secret = False


def _set(channel: Channel, field: str, value: Any, *, masked: bool) -> None:
    """`masked`: the URL was a secret before. Raises `ValueError` with a sentence."""
    if field == "recipients":
        channel.recipients = check_recipients(value)
    elif field == "headers":
        channel.headers = _without_mask(check_headers(value))
    elif field == "settings":
        channel.settings = checked_settings(
            takes(channel.kind).settings, {**(channel.readable_settings or {}), **value}, given=value
        )
    else:
        if MASK in value and (masked or channel.has_secret_url):
            raise ValueError(f"Give the URL itself: {MASK} stands for the part that is not shown.")
        channel.whole_url = check_url(value)


def _plural(channel: Channel) -> str:
    """`Slack channels`."""
    return f"{kind_label(channel.kind)} channels"


def _without_mask(headers: dict[str, str]) -> dict[str, str]:
    """The headers. Raises `ValueError` for the mask in place of a value, as a caller reads it."""
    for name, value in headers.items():
        if value == MASK:
            raise ValueError(f"Give the value of {name} itself: {MASK} stands for it where it is not shown.")
    return headers
