"""Turning event types on and off, and attaching channels to them."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from channels_app import services as channels
from channels_app.models import Channel
from channels_app.transports import kind_label
from notifications import history
from notifications.errors import Conflict
from notifications.events import EventType
from notifications.models import EventChannel, EventTypeSwitch
from orders.models import Source


@transaction.atomic
def set_event_type_enabled(*, event_type: EventType, enabled: bool, by: str) -> EventTypeSwitch:
    """Turn an event type on or off. Off stops new deliveries; recorded ones still go out.

    Setting it to what it is already changes nothing, nor who is named as having changed it.
    """
    switch, _ = EventTypeSwitch.objects.select_for_update().get_or_create(
        event_type=event_type.key, defaults={"enabled": False, "changed_by": by, "changed_at": Now()}
    )
    if switch.enabled == enabled:
        return switch
    switch.enabled, switch.changed_by, switch.changed_at = enabled, by, Now()
    switch.save()
    switch.refresh_from_db(fields=["changed_at"])
    history.record(
        action=history.Action.ENABLED if enabled else history.Action.DISABLED,
        by=by,
        sentence=f"{event_type.label} was turned {'on' if enabled else 'off'}.",
        event_type=event_type.key,
    )
    return switch


@transaction.atomic
def attach_channel(*, event_type: EventType, channel_id: str, sources: Sequence[str], by: str) -> EventChannel:
    """Have a channel hear of an event type from these sources, from now on.

    Raises `ValidationError`: unknown or deleted channel, a kind that the event type refuses, no or unknown sources;
    `Conflict` when it is attached already.
    """
    try:
        channel = channels.lock_channel(channel_id)
    except Channel.DoesNotExist as error:
        raise ValidationError({"channel": ["There is no such channel."]}) from error
    check_kind(event_type, channel, field="channel")
    chosen = _checked_sources(sources)
    try:
        with transaction.atomic():
            attachment = EventChannel.objects.create(
                event_type=event_type.key, channel=channel, sources=chosen, created_at=Now()
            )
    except IntegrityError as error:
        raise Conflict(f"{channel.name} is attached to {event_type.label} already.") from error
    history.record(
        action=history.Action.ATTACHED,
        by=by,
        sentence=f"{channel.name} was linked to {event_type.label}: {_in_words(chosen)}.",
        channel=channel,
        event_type=event_type.key,
    )
    return attachment


@transaction.atomic
def change_sources(*, event_type: EventType, channel_id: str, sources: Sequence[str], by: str) -> EventChannel:
    """Have an attached channel listen to other sources from now on. Raises `EventChannel.DoesNotExist`."""
    attachment = _lock_attachment(event_type, channel_id)
    before, chosen = attachment.sources, _checked_sources(sources)
    if chosen == before:
        return attachment
    attachment.sources = chosen
    attachment.save(update_fields=["sources"])
    history.record(
        action=history.Action.SOURCES,
        by=by,
        sentence=f"{attachment.channel.name} listens to {_in_words(chosen)} for {event_type.label}, "
        f"no longer to {_in_words(before)}.",
        channel=attachment.channel,
        event_type=event_type.key,
    )
    return attachment


@transaction.atomic
def detach_channel(*, event_type: EventType, channel_id: str, by: str) -> None:
    """Stop new deliveries to the channel; recorded ones still go out. Raises `EventChannel.DoesNotExist`."""
    attachment = _lock_attachment(event_type, channel_id)
    attachment.delete()
    history.record(
        action=history.Action.DETACHED,
        by=by,
        sentence=f"{attachment.channel.name} was removed from {event_type.label}.",
        channel=attachment.channel,
        event_type=event_type.key,
    )


def _lock_attachment(event_type: EventType, channel_id: str) -> EventChannel:
    """Held by its channel's lock, which comes first everywhere. Raises `EventChannel.DoesNotExist`."""
    try:
        channel = channels.lock_channel(channel_id)
    except Channel.DoesNotExist as error:
        raise EventChannel.DoesNotExist("The channel is deleted or unknown.") from error
    attachment = EventChannel.objects.get(event_type=event_type.key, channel=channel)
    attachment.channel = channel
    return attachment


def check_kind(event_type: EventType, channel: Channel, *, field: str) -> None:
    """Raises `ValidationError` on `field` where the event type refuses channels of this kind."""
    if channel.kind not in event_type.kinds:
        only = kind_label("postback").lower()
        raise ValidationError({field: [f"{event_type.label} takes {only} channels only."]})


def _checked_sources(sources: Sequence[str]) -> list[str]:
    if not sources:
        raise ValidationError({"sources": ["Choose at least one source."]})
    for index, source in enumerate(sources):
        if source not in Source.values:
            raise ValidationError({f"sources[{index}]": [f"Choose from: {', '.join(Source.values)}."]})
    return [source for source in Source.values if source in sources]


def _in_words(sources: Sequence[str]) -> str:
    return ", ".join(Source(source).label for source in sources)
