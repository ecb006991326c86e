"""The event catalogue: what each event type says to a receiver. Schema and example are made by the code that sends."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from pydantic import create_model

from backoffice.frame import crumbs, page
from backoffice.notifications.event_types import find_event_type
from channels_app.transports import kind_choices
from notifications.display import pretty_json
from notifications.events import EVENT_TYPES, EventType
from notifications.events.bodies import Envelope, sample_body
from notifications.models import EventTypeSwitch
from orders.models import Source

# The id and the time of recording of all examples.
EXAMPLE_ID = "evt_01kaskf4zze4t9a1t8cdhyjvb5"
EXAMPLE_TIME = datetime(2026, 11, 23, 18, 36, 0, 123456, tzinfo=UTC)


@require_GET
@permission_required("notifications.view_eventtypeswitch", raise_exception=True)
def event_catalogue(request: HttpRequest) -> HttpResponse:
    return page(
        request,
        "notifications/event_catalogue.html",
        title="Event catalogue",
        crumbs=crumbs("integrations"),
        event_types=EVENT_TYPES.values(),
        enabled=_enabled(),
    )


@require_GET
@permission_required("notifications.view_eventtypeswitch", raise_exception=True)
def event_catalogue_type(request: HttpRequest, key: str) -> HttpResponse:
    event_type = find_event_type(key)
    kinds = dict(kind_choices())
    return page(
        request,
        "notifications/event_catalogue_type.html",
        title=event_type.label,
        crumbs=crumbs("integrations", "event_catalogue"),
        event_type=event_type,
        enabled=key in _enabled(),
        kinds=[kinds[kind] for kind in event_type.kinds],
        sources=[label for _, label in Source.choices],
        members=list(event_type.data.model_fields),
        example=example(event_type),
        schema=json.dumps(json_schema(key), indent=2, ensure_ascii=False),
    )


def example(event_type: EventType) -> str:
    """The body of a sample event, indented. What is sent has the same members in the same order on one line."""
    return pretty_json(sample_body(event_type, event_id=EXAMPLE_ID, created_at=EXAMPLE_TIME))


def json_schema(key: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the body of this event type, whole in itself."""
    return _json_schema(EVENT_TYPES[key])


@cache
def _json_schema(event_type: EventType) -> dict[str, Any]:
    # Any: the members are known when this runs, not when it is checked.
    members: dict[str, Any] = {"type": (Literal[event_type.key], ...), "data": (event_type.data, ...)}
    body = create_model(event_type.label, __base__=Envelope, **members)
    schema = body.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": event_type.label,
        "description": event_type.description,
    }


def _enabled() -> set[str]:
    return set(EventTypeSwitch.objects.filter(enabled=True).values_list("event_type", flat=True))
