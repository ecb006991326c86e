"""Sending one delivery again by hand."""

import structlog
from django.db import transaction
from django.db.models.functions import Now

from channels_app.models import Channel
from notifications import doorbell, erasure, history
from notifications.delivery import health
from notifications.delivery.maintenance import CHANNEL_DELETED
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.models import TEST_EVENT_PREFIX, Delivery, Event, Trigger
from notifications.receivers import rebuild_body
from notifications.tally import take_back

log = structlog.get_logger(__name__)


def retry_refused_because(delivery: Delivery) -> str | None:
    """Why staff may not retry this delivery, in a sentence; None: they may. Reads `delivery.channel` and `.event`."""
    label = EVENT_TYPES[delivery.event_type].label if delivery.event_type in EVENT_TYPES else delivery.event_type
    if delivery.in_flight:
        return "It is being sent right now."
    if delivery.status == Delivery.Status.PENDING:
        return "It is waiting to be sent."
    if delivery.status == Delivery.Status.SUCCEEDED:
        return "It has been delivered."
    if delivery.event_id.startswith(TEST_EVENT_PREFIX):
        return "It is a test. Send another one."
    if delivery.event.erased_at:
        return erasure.ERASED
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
        delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
        delivery.channel = channel  # its event is read with the row locked: it may have been erased meanwhile
        if reason := retry_refused_because(delivery):
            raise Conflict(reason)
        _build_missing_body(delivery)
        finished_at = delivery.finished_at
        delivery.status, delivery.finished_at = Delivery.Status.PENDING, None
        delivery.next_trigger, delivery.automatic_retries, delivery.unknowns_in_row = Trigger.MANUAL, 0, 0
        delivery.next_attempt_at, delivery.replayed = Now(), False
        delivery.save()
        health.forgive(channel_id)
        if finished_at is not None:
            take_back([(channel_id, finished_at, Delivery.Status.FAILED)])
        label = EVENT_TYPES[delivery.event_type].label
        history.record(
            action=history.Action.RETRIED,
            by=by,
            sentence=f"{label} to {channel.name} was retried.",
            channel=channel,
            event_type=delivery.event_type,
            delivery_id=delivery_id,
        )
        doorbell.ring_on_commit()
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
