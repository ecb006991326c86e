"""What people do with notifications. Each function is one change, whole or not at all.

`by` names who did it: a user's name, or that of an API key.
"""

from collections.abc import Sequence

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from channels_app import services as channels
from channels_app.models import Channel
from channels_app.transports import kind_choices
from notifications import doorbell
from notifications.catalogue import EVENT_TYPES, EventType
from notifications.delivery import health
from notifications.delivery.claim import CHANNEL_DELETED
from notifications.errors import Conflict
from notifications.models import (
    TEST_EVENT_PREFIX,
    Delivery,
    Event,
    EventChannel,
    EventTypeSwitch,
    Trigger,
    new_test_event_id,
)
from notifications.receivers import rebuild_body
from notifications.samples import sample_body
from orders.models import Source

log = structlog.get_logger(__name__)


def set_event_type_enabled(*, event_type: EventType, enabled: bool, by: str) -> EventTypeSwitch:
    """Turn an event type on or off. Off stops new deliveries; recorded ones still go out."""
    switch, _ = EventTypeSwitch.objects.update_or_create(
        event_type=event_type.key, defaults={"enabled": enabled, "changed_by": by, "changed_at": timezone.now()}
    )
    return switch


@transaction.atomic
def attach_channel(*, event_type: EventType, channel_id: str, sources: Sequence[str]) -> EventChannel:
    """Have a channel hear of an event type from these sources, from now on.

    Raises `ValidationError`: unknown or deleted channel, a kind that the event type refuses, no or unknown sources;
    `Conflict` when it is attached already.
    """
    try:
        channel = channels.lock_channel(channel_id)
    except Channel.DoesNotExist as error:
        raise ValidationError({"channel": ["There is no such channel."]}) from error
    _check_kind(event_type, channel, field="channel")
    chosen = _checked_sources(sources)
    try:
        with transaction.atomic():
            return EventChannel.objects.create(event_type=event_type.key, channel=channel, sources=chosen)
    except IntegrityError as error:
        raise Conflict(f"{channel.name} is attached to {event_type.label} already.") from error


@transaction.atomic
def change_sources(*, event_type: EventType, channel_id: str, sources: Sequence[str]) -> EventChannel:
    """Have an attached channel listen to other sources from now on. Raises `EventChannel.DoesNotExist`."""
    attachments = EventChannel.objects.select_for_update(of=("self",)).select_related("channel")
    attachment = attachments.get(event_type=event_type.key, channel_id=channel_id)
    attachment.sources = _checked_sources(sources)
    attachment.save(update_fields=["sources"])
    return attachment


def detach_channel(*, event_type: EventType, channel_id: str) -> None:
    """Stop new deliveries to the channel; recorded ones still go out. Raises `EventChannel.DoesNotExist`."""
    deleted, _ = EventChannel.objects.filter(event_type=event_type.key, channel_id=channel_id).delete()
    if not deleted:
        raise EventChannel.DoesNotExist


@transaction.atomic
def archive_channel(*, channel_id: str) -> None:
    """Delete a channel: detached everywhere, its pending deliveries fail, the log keeps its name.

    What is in flight ends and is recorded. Raises `Channel.DoesNotExist`.
    """
    channel = Channel.objects.select_for_update().get(pk=channel_id, archived_at__isnull=True)
    channel.archived_at = timezone.now()
    channel.save(update_fields=["archived_at"])
    EventChannel.objects.filter(channel=channel).delete()
    Delivery.objects.filter(channel=channel, status=Delivery.Status.PENDING, lease_token=None).update(
        status=Delivery.Status.FAILED, next_attempt_at=None, finished_at=Now(), error=CHANNEL_DELETED
    )


def resume_channel(*, channel_id: str) -> Channel:
    """Let the channel's deliveries go again, at once. Raises `Channel.DoesNotExist`."""
    with transaction.atomic():
        channel = channels.resume_channel(channel_id=channel_id)
        probe_now(channel_id=channel_id)
    return channel


@transaction.atomic
def probe_now(*, channel_id: str) -> None:
    """Somebody says that a failing channel is mended: ask it at the next claim, not after its back-off."""
    health.forgive(channel_id)
    doorbell.ring_on_commit()


@transaction.atomic
def send_test(*, channel_id: str, event_type: EventType, by: str) -> Delivery:
    """Have the worker send a sample of this event type once, outside every rate, also to a paused channel.

    Its event id begins `evt_test_`. Raises `ValidationError` where the event type refuses the channel's kind,
    `Channel.DoesNotExist`.
    """
    channel = channels.lock_channel(channel_id)
    _check_kind(event_type, channel, field="event_type")
    event = Event(id=new_test_event_id(), type=event_type.key, source=Source.ADMIN, created_at=timezone.now())
    event.body = sample_body(event_type, event_id=event.pk, created_at=event.created_at)
    delivery = Delivery(event=event, event_type=event.type, channel=channel, next_trigger=Trigger.TEST)
    event.routing = [
        {"channel": channel.pk, "name": channel.name, "outcome": "delivered", "delivery": delivery.pk},
    ]
    event.save(force_insert=True)
    delivery.save(force_insert=True)
    delivery.refresh_from_db(fields=["next_attempt_at", "created_at"])
    doorbell.ring_on_commit()
    log.info("test", channel_id=channel_id, delivery_id=delivery.pk, by=by)
    return delivery


def retry_refused_because(delivery: Delivery) -> str | None:
    """Why staff may not retry this delivery, in a sentence; None: they may. Reads `delivery.channel`."""
    label = EVENT_TYPES[delivery.event_type].label if delivery.event_type in EVENT_TYPES else delivery.event_type
    if delivery.in_flight:
        return "It is being sent right now."
    if delivery.status == Delivery.Status.PENDING:
        return "It is waiting to be sent."
    if delivery.status == Delivery.Status.SUCCEEDED:
        return "It has been delivered."
    if delivery.event_id.startswith(TEST_EVENT_PREFIX):
        return "It is a test. Send another one."
    if delivery.event_type not in EVENT_TYPES or not EVENT_TYPES[delivery.event_type].manual_retry:
        return f"{label} has no manual retry."
    if delivery.channel.archived_at:
        return CHANNEL_DELETED
    if delivery.channel.paused_at:
        return "The channel is paused. Resume it first."
    return None


def retry_delivery(*, delivery_id: str, by: str) -> Delivery:
    """Begin a fresh cycle of a failed delivery: one attempt at once, then up to three automatic ones.

    The event id and the bytes of the body stay. A body that could not be built is built now. Raises `Conflict` with
    the reason where it is refused, `Delivery.DoesNotExist`.
    """
    with transaction.atomic():
        channel_id = Delivery.objects.values_list("channel_id", flat=True).get(pk=delivery_id)
        channel = Channel.objects.select_for_update(no_key=True).get(pk=channel_id)
        delivery = Delivery.objects.select_for_update(of=("self",)).select_related("event").get(pk=delivery_id)
        delivery.channel = channel
        if reason := retry_refused_because(delivery):
            raise Conflict(reason)
        _build_missing_body(delivery)
        delivery.status, delivery.finished_at = Delivery.Status.PENDING, None
        delivery.next_trigger, delivery.automatic_retries, delivery.unknowns_in_row = Trigger.MANUAL, 0, 0
        delivery.next_attempt_at = Now()
        delivery.save()
        health.forgive(channel_id)
        doorbell.ring_on_commit()
    log.info("retry", delivery_id=delivery_id, by=by)
    return delivery


def _build_missing_body(delivery: Delivery) -> None:
    event = Event.objects.select_for_update().get(pk=delivery.event_id)  # another channel's retry may be at it
    if event.body is not None:
        return
    try:
        with transaction.atomic():
            event.body = rebuild_body(event)
    except Exception as error:
        log.exception("body_not_built", event_type=event.type, event_id=event.pk)
        raise Conflict(
            "The body still cannot be built. This is a fault of Tidings; its operators find it in the log."
        ) from error
    event.save(update_fields=["body"])


def _check_kind(event_type: EventType, channel: Channel, *, field: str) -> None:
    if channel.kind not in event_type.kinds:
        only = dict(kind_choices())["postback"].lower()
        raise ValidationError({field: [f"{event_type.label} takes {only} channels only."]})


def _checked_sources(sources: Sequence[str]) -> list[str]:
    if not sources:
        raise ValidationError({"sources": ["Choose at least one source."]})
    for index, source in enumerate(sources):
        if source not in Source.values:
            raise ValidationError({f"sources[{index}]": [f"Choose from: {', '.join(Source.values)}."]})
    return [source for source in Source.values if source in sources]
