"""Event types, attached channels, events and deliveries, for an administrator's script."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema, Status
from ninja.pagination import paginate
from pydantic import BeforeValidator, ConfigDict, Field

from notifications import replay, services
from notifications.catalogue import EVENT_TYPES, EventType
from notifications.models import Delivery, Event, EventChannel, EventTypeSwitch, ReplayJob, Trigger
from orders.models import Source

router = Router(tags=["Notifications"])


RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _moment(value: object) -> datetime:
    """A time as RFC 3339 writes it, in UTC."""
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("This must be a time such as 2026-11-23T18:36:00Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("There is no such time.") from error


Moment = Annotated[datetime, BeforeValidator(_moment)]
Flag = Annotated[bool, Field(strict=True)]


class Input(Schema):
    model_config = ConfigDict(extra="forbid")


class EventTypeChange(Input):
    enabled: Flag


class EventTypeOut(Schema):
    key: str
    label: str
    description: str
    enabled: bool
    kinds: list[str]
    manual_retry: bool
    changed_by: str | None
    changed_at: datetime | None


class AttachmentIn(Input):
    channel: str
    sources: list[str] = list(Source.values)


class AttachmentChange(Input):
    sources: list[str]


class AttachmentOut(Schema):
    channel: str
    sources: list[str]

    @staticmethod
    def resolve_channel(attachment: EventChannel) -> str:
        return attachment.channel_id


class RouteOut(Schema):
    """What became of an event at one attached channel."""

    channel: str
    outcome: str
    delivery: str | None


class TestRequest(Input):
    event_type: str = "order.completed"


class ReplayRequest(Input):
    """What failed from `since` on; `event_types` limits it to these. A dry run only counts."""

    since: Moment
    event_types: list[str] = []
    dry_run: Flag = False


class ReplayOut(Schema):
    """A replay: `count` failed deliveries to send again, of which `replayed` are under way or done."""

    id: str
    channel: str
    since: datetime
    event_types: list[str]
    dry_run: bool
    status: str
    count: int
    replayed: int
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_channel(job: ReplayJob) -> str:
        return job.channel_id


class EventOut(Schema):
    """One occurrence; `body` is what every channel receives, null only where it could not be built."""

    id: str
    type: str
    source: str
    created_at: datetime
    order: str | None
    body: dict[str, Any] | None
    routing: list[RouteOut]

    @staticmethod
    def resolve_order(event: Event) -> str | None:
        return event.order.number if event.order else None

    @staticmethod
    def resolve_body(event: Event) -> dict[str, Any] | None:
        return None if event.body is None else json.loads(event.body)


class AttemptOut(Schema):
    id: str
    number: int
    trigger: str
    outcome: str
    url: str
    status_code: int | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str
    started_at: datetime
    duration_ms: int | None
    error: str


class DeliveryOut(Schema):
    """One event for one channel. `next_attempt_at` is null while it is in flight and once it is finished."""

    id: str
    event: str
    event_type: str
    channel: str
    order: str | None
    status: str
    attempts_made: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    retry_allowed: bool
    retry_refused_because: str | None
    attempts: list[AttemptOut]

    @staticmethod
    def resolve_event(delivery: Delivery) -> str:
        return delivery.event_id

    @staticmethod
    def resolve_channel(delivery: Delivery) -> str:
        return delivery.channel_id

    @staticmethod
    def resolve_order(delivery: Delivery) -> str | None:
        return delivery.event.order.number if delivery.event.order else None

    @staticmethod
    def resolve_status(delivery: Delivery) -> str:
        return delivery.shown_status

    @staticmethod
    def resolve_next_attempt_at(delivery: Delivery) -> datetime | None:
        return None if delivery.in_flight else delivery.next_attempt_at

    @staticmethod
    def resolve_retry_allowed(delivery: Delivery) -> bool:
        return services.retry_refused_because(delivery) is None

    @staticmethod
    def resolve_retry_refused_because(delivery: Delivery) -> str | None:
        return services.retry_refused_because(delivery)

    @staticmethod
    def resolve_attempts(delivery: Delivery) -> list[Any]:
        return list(delivery.attempts.all())


class EventFilters(Schema):
    event_type: str | None = None
    order: str | None = None
    source: str | None = None


class DeliveryFilters(Schema):
    status: str | None = None
    event_type: str | None = None
    channel: str | None = None
    order: str | None = None
    created_after: Moment | None = None


@router.get("/event-types", response=list[EventTypeOut])
@paginate
def list_event_types(request: HttpRequest) -> list[EventTypeOut]:
    switches = EventTypeSwitch.objects.in_bulk()
    return [_event_type_out(event_type, switches.get(event_type.key)) for event_type in EVENT_TYPES.values()]


@router.patch("/event-types/{key}", response=EventTypeOut)
def change_event_type(request: HttpRequest, key: str, body: EventTypeChange) -> EventTypeOut:
    event_type = _event_type(key)
    switch = services.set_event_type_enabled(event_type=event_type, enabled=body.enabled, by=_actor(request))
    return _event_type_out(event_type, switch)


@router.get("/event-types/{key}/channels", response=list[AttachmentOut])
@paginate
def list_attached_channels(request: HttpRequest, key: str) -> QuerySet[EventChannel]:
    return EventChannel.objects.filter(event_type=_event_type(key).key)


@router.post("/event-types/{key}/channels", response={201: AttachmentOut})
def attach_channel(request: HttpRequest, key: str, body: AttachmentIn) -> Status[EventChannel]:
    """All three sources are chosen where none are given."""
    return Status(
        201, services.attach_channel(event_type=_event_type(key), channel_id=body.channel, sources=body.sources)
    )


@router.patch("/event-types/{key}/channels/{channel_id}", response=AttachmentOut)
def change_attached_channel(request: HttpRequest, key: str, channel_id: str, body: AttachmentChange) -> EventChannel:
    return services.change_sources(event_type=_event_type(key), channel_id=channel_id, sources=body.sources)


@router.delete("/event-types/{key}/channels/{channel_id}", response={204: None})
def detach_channel(request: HttpRequest, key: str, channel_id: str) -> Status[None]:
    services.detach_channel(event_type=_event_type(key), channel_id=channel_id)
    return Status(204, None)


@router.post("/channels/{channel_id}/test", response={202: DeliveryOut})
def send_test(request: HttpRequest, channel_id: str, body: TestRequest | None = None) -> Status[Delivery]:
    """A sample of an event type (`order.completed` unless given), sent once, also to a paused channel."""
    key = body.event_type if body else "order.completed"
    _check_choice("event_type", key, list(EVENT_TYPES))
    delivery = services.send_test(channel_id=channel_id, event_type=EVENT_TYPES[key], by=_actor(request))
    return Status(202, _deliveries().get(pk=delivery.pk))


@router.post("/channels/{channel_id}/replay", response={202: ReplayOut})
def replay_channel(request: HttpRequest, channel_id: str, body: ReplayRequest) -> Status[ReplayJob]:
    """Send again what failed on the channel since then, of any event type."""
    return Status(
        202,
        replay.start_replay(
            channel_id=channel_id,
            since=body.since,
            event_types=body.event_types,
            dry_run=body.dry_run,
            by=_actor(request),
        ),
    )


@router.get("/events", response=list[EventOut])
@paginate
def list_events(request: HttpRequest, filters: Query[EventFilters]) -> QuerySet[Event]:
    _check_choice("event_type", filters.event_type, list(EVENT_TYPES))
    _check_choice("source", filters.source, Source.values)
    return Event.objects.select_related("order").filter(
        **_given(type=filters.event_type, order__number=filters.order, source=filters.source)
    )


@router.get("/events/{event_id}", response=EventOut)
def read_event(request: HttpRequest, event_id: str) -> Event:
    return Event.objects.select_related("order").get(pk=event_id)


@router.get("/deliveries", response=list[DeliveryOut])
@paginate
def list_deliveries(request: HttpRequest, filters: Query[DeliveryFilters]) -> QuerySet[Delivery]:
    """`held` is pending on a paused channel; `pending` is the others."""
    _check_choice("status", filters.status, ["pending", "held", "succeeded", "failed"])
    _check_choice("event_type", filters.event_type, list(EVENT_TYPES))
    return _deliveries().filter(
        _has_status(filters.status),
        **_given(
            event_type=filters.event_type,
            channel_id=filters.channel,
            event__order__number=filters.order,
            created_at__gt=filters.created_after,
        ),
    )


@router.get("/deliveries/{delivery_id}", response=DeliveryOut)
def read_delivery(request: HttpRequest, delivery_id: str) -> Delivery:
    return _deliveries().get(pk=delivery_id)


@router.post("/deliveries/{delivery_id}/retry", response={202: DeliveryOut})
def retry_delivery(request: HttpRequest, delivery_id: str) -> Status[Delivery]:
    """A fresh cycle of a failed delivery of the four event types; 409 with the reason where it is refused."""
    services.retry_delivery(delivery_id=delivery_id, by=_actor(request))
    return Status(202, _deliveries().get(pk=delivery_id))


def _deliveries() -> QuerySet[Delivery]:
    return Delivery.objects.select_related("event__order", "channel").prefetch_related("attempts")


def _has_status(status: str | None) -> Q:
    held = Q(status="pending", channel__paused_at__isnull=False, lease_token=None) & ~Q(next_trigger=Trigger.TEST)
    if status is None:
        return Q()
    if status == "held":
        return held
    return Q(status="pending") & ~held if status == "pending" else Q(status=status)


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


def _actor(request: HttpRequest) -> str:
    """Who calls, for the history: the name of the API key."""
    return f"API key {request.auth.name}"  # type: ignore[attr-defined]
