"""What people do with channels. Detaching and deliveries are the business of `notifications.services`."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from channels_app.models import Channel
from channels_app.transports import kind_choices
from channels_app.transports.client import MASK
from channels_app.transports.rules import check_headers, check_url
from channels_app.transports.signature import new_secret


class _Unset:
    """Tells "not given" from None."""


UNSET: Any = _Unset()


def create_channel(*, name: str, kind: str, url: str | None = None, headers: dict[str, str] | None = None) -> Channel:
    """Save a new active channel; a postback gets a fresh signing secret.

    Raises `ValidationError` with the field: unknown kind, no name, an unusable URL or header.
    """
    if kind not in dict(kind_choices()):
        raise ValidationError({"kind": [f"Choose one of: {', '.join(dict(kind_choices()))}."]})
    channel = Channel(name=name, kind=kind)
    channel.secret = new_secret()
    return _save(channel, url=url or "", headers=headers or {})


@transaction.atomic
def update_channel(*, channel_id: str, name: str = UNSET, url: str = UNSET, headers: dict[str, str] = UNSET) -> Channel:
    """Change what is given; deliveries use it from their next attempt on. The kind of a channel is for life.

    Raises `ValidationError` like `create_channel`, `Channel.DoesNotExist` for an unknown or deleted one.
    """
    channel = lock_channel(channel_id)
    if name is not UNSET:
        channel.name = name
    return _save(channel, url=url, headers=headers)


@transaction.atomic
def pause_channel(*, channel_id: str, reason: str) -> Channel:
    """Hold its deliveries from now on; what is in flight ends. Pausing a paused channel keeps the first reason."""
    channel = lock_channel(channel_id)
    if channel.paused_at is None:
        channel.paused_at, channel.pause_reason = timezone.now(), reason
        channel.save(update_fields=["paused_at", "pause_reason"])
    return channel


@transaction.atomic
def resume_channel(*, channel_id: str) -> Channel:
    """Let its deliveries go again. `notifications.services.resume_channel` also ends a back-off."""
    channel = lock_channel(channel_id)
    if channel.paused_at is not None:
        channel.paused_at, channel.pause_reason, channel.resumed_at = None, "", timezone.now()
        channel.save(update_fields=["paused_at", "pause_reason", "resumed_at"])
    return channel


@transaction.atomic
def rotate_secret(*, channel_id: str, overlap: timedelta) -> Channel:
    """Give the channel a new signing secret; for as long as `overlap` the old one signs as well.

    No overlap (zero) is for a secret that leaked. Raises `Channel.DoesNotExist`.
    """
    channel = lock_channel(channel_id)
    channel.rotate_secret(new_secret(), previous_until=timezone.now() + overlap if overlap else None)
    channel.save(update_fields=["encrypted_secret", "encrypted_previous_secret", "previous_secret_until"])
    return channel


def refuse_recipients(recipients: list[str] | None) -> None:
    """A postback goes to a URL. Raises `ValidationError` where somebody gives it recipients."""
    if recipients:
        raise ValidationError({"recipients": ["A postback has a URL and no recipients."]})


def lock_channel(channel_id: str) -> Channel:
    """The row of a channel that is not deleted, locked: always before the rows of its deliveries."""
    return Channel.objects.select_for_update(no_key=True).get(pk=channel_id, archived_at__isnull=True)


def _save(channel: Channel, *, url: str, headers: dict[str, str]) -> Channel:
    errors: dict[str, list[str]] = {}
    if url is not UNSET:
        try:
            channel.url = check_url(url)
        except ValueError as error:
            errors["url"] = [str(error)]
    if headers is not UNSET:
        try:
            channel.headers = _without_mask(check_headers(headers))
        except ValueError as error:
            errors["headers"] = [str(error)]
    try:
        channel.clean_fields(exclude=errors)
    except ValidationError as error:
        raise ValidationError({**error.message_dict, **errors}) from error
    if errors:
        raise ValidationError(errors)
    channel.save()
    return channel


def _without_mask(headers: dict[str, str]) -> dict[str, str]:
    """The headers. Raises `ValueError` where somebody writes back what they read: the mask in place of a value."""
    for name, value in headers.items():
        if value == MASK:
            raise ValueError(f"Give the value of {name} itself: {MASK} stands for it where it is not shown.")
    return headers
