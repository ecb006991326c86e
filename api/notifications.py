"""Event types, attached channels, events and deliveries, for an administrator's script."""

from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest
from ninja import Path, Query, Router, Status
from ninja.pagination import paginate
from pydantic import WithJsonSchema

from api.schemas import (
    ATTEMPT_TEXTS,
    EVENT_TYPE_WORDS,
    AttachmentChange,
    AttachmentIn,
    AttachmentOut,
    ChannelInPath,
    DeliveryFilters,
    DeliveryInPath,
    DeliveryOut,
    EventFilters,
    EventInPath,
    EventOut,
    EventTypeChange,
    EventTypeOut,
    ListedDeliveryOut,
    ReplayOut,
    ReplayRequest,
    TestRequest,
)
from notifications import replay, services
from notifications.events import EVENT_TYPES, EventType
from notifications.history import caller
from notifications.models import (
    EVENT_TEXTS,
    IS_HELD,
    TEST_EVENT_PREFIX,
    Delivery,
    DeliveryAttempt,
    Event,
    EventChannel,
    EventTypeSwitch,
    ReplayJob,
)
from orders.models import Source

router = Router(tags=["Notifications"])

EventTypeKey = Annotated[
    str,
    WithJsonSchema({"type": "string", "enum": EVENT_TYPE_WORDS}),
    Path(description="The event type's key.", examples=["order.completed"]),
]


@router.get("/event-types", response=list[EventTypeOut])
@paginate
def list_event_types(request: HttpRequest) -> list[EventTypeOut]:
    """All event types, in the order in which they appear everywhere."""
    switches = EventTypeSwitch.objects.in_bulk()
    return [_event_type_out(event_type, switches.get(event_type.key)) for event_type in EVENT_TYPES.values()]


@router.patch("/event-types/{key}", response=EventTypeOut)
def change_event_type(request: HttpRequest, key: EventTypeKey, body: EventTypeChange) -> EventTypeOut:
    """Turn an event type on or off, for all channels that are attached to it."""
    event_type = _event_type(key)
    switch = services.set_event_type_enabled(event_type=event_type, enabled=body.enabled, by=caller(request))
    return _event_type_out(event_type, switch)


@router.get("/event-types/{key}/channels", response=list[AttachmentOut])
@paginate
def list_attached_channels(request: HttpRequest, key: EventTypeKey) -> QuerySet[EventChannel]:
    """The channels that hear of an event type."""
    return EventChannel.objects.filter(event_type=_event_type(key).key)


@router.post("/event-types/{key}/channels", response={201: AttachmentOut})
def attach_channel(request: HttpRequest, key: EventTypeKey, body: AttachmentIn) -> Status[EventChannel]:
    """Let a channel hear of an event type. All three sources are chosen where none are given."""
    return Status(
        201,
        services.attach_channel(
            event_type=_event_type(key), channel_id=body.channel, sources=body.sources, by=caller(request)
        ),
    )


@router.patch("/event-types/{key}/channels/{channel_id}", response=AttachmentOut)
def change_attached_channel(
    request: HttpRequest, key: EventTypeKey, channel_id: ChannelInPath, body: AttachmentChange
) -> EventChannel:
    """Choose anew from which sources an attached channel hears."""
    return services.change_sources(
        event_type=_event_type(key), channel_id=channel_id, sources=body.sources, by=caller(request)
    )


@router.delete("/event-types/{key}/channels/{channel_id}", response={204: None})
def detach_channel(request: HttpRequest, key: EventTypeKey, channel_id: ChannelInPath) -> Status[None]:
    """Let a channel hear of an event type no more. What was recorded before still goes out."""
    services.detach_channel(event_type=_event_type(key), channel_id=channel_id, by=caller(request))
    return Status(204, None)


@router.post("/channels/{channel_id}/test", response={202: DeliveryOut})
def send_test(request: HttpRequest, channel_id: ChannelInPath, body: TestRequest | None = None) -> Status[Delivery]:
    """Send a sample of an event type (`order.completed` unless given) once, also to a paused channel."""
    key = body.event_type if body else "order.completed"
    _check_choice("event_type", key, list(EVENT_TYPES))
    delivery = services.send_test(channel_id=channel_id, event_type=EVENT_TYPES[key], by=caller(request))
    return Status(202, _deliveries().get(pk=delivery.pk))


@router.post("/channels/{channel_id}/replay", response={202: ReplayOut})
def replay_channel(request: HttpRequest, channel_id: ChannelInPath, body: ReplayRequest) -> Status[ReplayJob]:
    """Send again what has failed on the channel since then, of any event type. A worker goes on with it."""
    return Status(
        202,
        replay.start_replay(
            channel_id=channel_id,
            since=body.since,
            event_types=body.event_types,
            dry_run=body.dry_run,
            by=caller(request),
        ),
    )


@router.get("/events", response=list[EventOut])
@paginate
def list_events(request: HttpRequest, filters: Query[EventFilters]) -> QuerySet[Event]:
    """What has happened, newest first, also what reached nobody."""
    _check_choice("event_type", filters.event_type, list(EVENT_TYPES))
    _check_choice("source", filters.source, Source.values)
    # Tests are no occurrences, and by their ids they would stand before all that are newer.
    return Event.objects.select_related("order").filter(
        pk__lt=TEST_EVENT_PREFIX,
        **_given(type=filters.event_type, order__number=filters.order, source=filters.source),
    )


@router.get("/events/{event_id}", response=EventOut)
def read_event(request: HttpRequest, event_id: EventInPath) -> Event:
    """One occurrence: what it says, and what became of it at each channel."""
    return Event.objects.select_related("order").get(pk=event_id)


@router.get("/deliveries", response=list[ListedDeliveryOut])
@paginate
def list_deliveries(request: HttpRequest, filters: Query[DeliveryFilters]) -> QuerySet[Delivery]:
    """Who was told of what, newest first. `held` is pending on a paused channel; `pending` is the others.

    What the attempts have sent and were answered is left out, unless `expand=attempts` asks for it.
    """
    _check_choice("expand", filters.expand, ["attempts"])
    _check_choice("status", filters.status, ["pending", "held", "succeeded", "failed"])
    _check_choice("event_type", filters.event_type, list(EVENT_TYPES))
    return _deliveries(whole_attempts=filters.expand == "attempts").filter(
        _has_status(filters.status),
        **_given(
            event_type=filters.event_type,
            channel_id=filters.channel,
            event__order__number=filters.order,
            created_at__gt=filters.created_after,
        ),
    )


@router.get("/deliveries/{delivery_id}", response=DeliveryOut)
def read_delivery(request: HttpRequest, delivery_id: DeliveryInPath) -> Delivery:
    """One delivery with all attempts to send it, and what was sent and answered."""
    return _deliveries().get(pk=delivery_id)


@router.post("/deliveries/{delivery_id}/retry", response={202: DeliveryOut})
def retry_delivery(request: HttpRequest, delivery_id: DeliveryInPath) -> Status[Delivery]:
    """Begin a fresh cycle of a failed delivery: one attempt, and up to three automatic retries.

    Only of event types that have a manual retry; a 409 says why it is refused.
    """
    services.retry_delivery(delivery_id=delivery_id, by=caller(request))
    return Status(202, _deliveries().get(pk=delivery_id))


def _deliveries(*, whole_attempts: bool = True) -> QuerySet[Delivery]:
    """The columns of deliveries that an answer shows, and no others: bodies of events and attempts can be large."""
    unread = ("connection",) if whole_attempts else ("connection", *ATTEMPT_TEXTS)
    return (
        Delivery.objects.select_related("event__order", "channel")
        .defer(*EVENT_TEXTS)
        .prefetch_related(Prefetch("attempts", DeliveryAttempt.objects.defer(*unread)))
    )


def _has_status(status: str | None) -> Q:
    if status is None:
        return Q()
    if status == "held":
        return IS_HELD
    return Q(status="pending") & ~IS_HELD if status == "pending" else Q(status=status)


def _given(**filters: Any) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


def _check_choice(field: str, value: str | None, allowed: list[str]) -> None:
    if value is not None and value not in allowed:
        raise ValidationError({field: [f"Choose from: {', '.join(allowed)}."]})


def _event_type(key: str) -> EventType:
    try:
        return EVENT_TYPES[key]
    except KeyError as error:
        raise Http404("There is no such event type.") from error


def _event_type_out(event_type: EventType, switch: EventTypeSwitch | None) -> EventTypeOut:
    return EventTypeOut(
        key=event_type.key,
        label=event_type.label,
        description=event_type.description,
        enabled=bool(switch and switch.enabled),
        kinds=event_type.kinds,
        manual_retry=event_type.manual_retry,
        changed_by=switch.changed_by if switch else None,
        changed_at=switch.changed_at if switch else None,
    )
