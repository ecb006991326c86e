"""Hears what `orders` announces and records it: one event, and a delivery for each channel that is to hear of it.

Runs inside the transaction of the call that made it so: both are committed with the order, or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import structlog
from django.db import connection, models, transaction
from django.db.models.functions import Now

from notifications import doorbell
from notifications.database_time import database_now
from notifications.events import EVENT_TYPES, EventType
from notifications.events.bodies import build_body
from notifications.metrics import instruments
from notifications.models import Delivery, Event, EventChannel, EventTypeSwitch, new_delivery_id
from notifications.tracing import trace_event

log = structlog.get_logger(__name__)

BODY_NOT_BUILT = "The body could not be built. This is a fault of Tidings; a retry builds it again."


def connect_all() -> None:
    """Connect each event type to its signal. Called once, when the app is ready."""
    for event_type in EVENT_TYPES.values():
        connect(event_type)


def connect(event_type: EventType) -> None:
    """Record an event whenever the event type's signal is sent, once however often this is called."""

    def receive(*, source: str | None = None, **facts: Any) -> None:
        del facts["signal"], facts["sender"]
        record_event(event_type, source=source or _source_of(facts), facts=facts)

    if event_type.signal is not None:
        event_type.signal.connect(receive, weak=False, dispatch_uid=event_type.key)


def _source_of(facts: Mapping[str, Any]) -> str:
    """The order's, whoever acted; where there is none, that of the first fact that has one. Raises `TypeError`."""
    for fact in (facts.get("order"), *facts.values()):
        if source := getattr(fact, "source", None):
            return str(source)
    raise TypeError("No fact has a source: the signal must be sent with one.")


def record_event(event_type: EventType, *, source: str, facts: dict[str, Any]) -> Event:
    """Record one occurrence with its deliveries. Must run inside a transaction.

    `facts` are the signal's arguments. A body that cannot be built costs the caller nothing: the event stands without
    it, and its deliveries are failed as `internal_error`.
    """
    order, contact = facts.get("order"), facts.get("contact")
    routes = route(event_type, source=source)
    event = Event(
        type=event_type.key,
        source=source,
        order=order,
        contact=contact or (order.contact if order else None),
        facts=event_type.keep(facts),
        created_at=routes[0].routed_at if routes else database_now(),
    )
    event.body = _body_if_possible(event, event_type, facts)
    event.routing = [route.as_json() for route in routes]
    trace_event(event, {route.delivery: route.channel_id for route in routes if route.delivery})
    event.save(force_insert=True)
    deliveries = Delivery.objects.bulk_create(_delivery(event, route) for route in routes if route.delivery)
    if deliveries:
        doorbell.ring_on_commit()
    transaction.on_commit(
        lambda: instruments.event_recorded(event_type=event_type.key, source=source, deliveries=len(deliveries)),
        robust=True,
    )
    return event


def rebuild_body(event: Event) -> str:
    """The body of an event whose building failed, from its facts as they are now. Raises what building raises."""
    event_type = EVENT_TYPES[event.type]
    return _body(event, event_type, event_type.find(event.facts))


def _body_if_possible(event: Event, event_type: EventType, facts: dict[str, Any]) -> str | None:
    """The body, or None where it cannot be built; the transaction goes on either way.

    The facts hold all that a body tells, so it is built without a statement, and then nothing can go wrong with the
    transaction. Whatever fails, be it for want of a statement, is tried once more with a savepoint around it.
    """
    try:
        with connection.execute_wrapper(_refuse_statement):
            return _body(event, event_type, facts)
    except Exception:
        try:
            with transaction.atomic():
                return _body(event, event_type, facts)
        except Exception:
            log.exception("body_not_built", event_type=event.type, event_id=event.pk)
            return None


def _refuse_statement(*_: Any) -> NoReturn:
    raise RuntimeError("A statement while a body is built.")


def _body(event: Event, event_type: EventType, facts: dict[str, Any]) -> str:
    return build_body(event_type, facts, event_id=event.pk, created_at=event.created_at, source=event.source)


@dataclass(frozen=True)
class Route:
    """The routing of an event to one attached channel; `delivery` is the id of the delivery to make, if any."""

    channel_id: str
    channel_name: str
    outcome: Event.RoutingOutcome
    delivery: str | None
    routed_at: datetime  # by the database's clock, so that the event's time costs no statement of its own

    def as_json(self) -> dict[str, str | None]:
        return {
            "channel": self.channel_id,
            "name": self.channel_name,
            "outcome": str(self.outcome),
            "delivery": self.delivery,
        }


def route(event_type: EventType, *, source: str) -> list[Route]:
    """Route an occurrence of this type and source to the attached channels, with why not to some. One query."""
    enabled = EventTypeSwitch.objects.filter(event_type=event_type.key, enabled=True)
    attached = (
        EventChannel.objects.filter(event_type=event_type.key, channel__archived_at=None)
        .select_related("channel")
        .annotate(enabled=models.Exists(enabled), now=Now())
        .order_by("pk")
    )
    return [_route(event_type, attachment, source=source) for attachment in attached]


def _route(event_type: EventType, attachment: Any, *, source: str) -> Route:
    outcomes = Event.RoutingOutcome
    channel = attachment.channel
    if not attachment.enabled:
        outcome = outcomes.EVENT_DISABLED
    elif channel.kind not in event_type.kinds:
        outcome = outcomes.KIND_NOT_ALLOWED
    elif source not in attachment.sources:
        outcome = outcomes.SOURCE_NOT_CHOSEN
    else:
        outcome = outcomes.HELD if channel.paused_at else outcomes.DELIVERED
    goes = outcome in {outcomes.DELIVERED, outcomes.HELD}
    return Route(channel.pk, channel.name, outcome, new_delivery_id() if goes else None, attachment.now)


def _delivery(event: Event, route: Route) -> Delivery:
    delivery = Delivery(id=route.delivery, event=event, event_type=event.type, channel_id=route.channel_id)
    if event.body is None:
        delivery.fail_unbuilt(BODY_NOT_BUILT)
    return delivery
