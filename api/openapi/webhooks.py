"""The bodies of postbacks, as the `webhooks` of the OpenAPI document: one for each type of event and alert.

Made from the catalogue and the models of its payloads, so that a further event type needs nothing here.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from ninja.openapi.schema import REF_TEMPLATE
from ninja.schema import NinjaGenerateJsonSchema
from pydantic import BaseModel

from api.openapi.references import each_schema
from api.schemas import EVENT_BODY
from notifications.events import EventType
from notifications.events.bodies import Envelope, sample_body

Definitions = dict[str, Any]

_EVENT_ID = "evt_01kaskf4zze4t9a1t8cdhyjvb5"
_MOMENT = datetime(2026, 11, 23, 18, 36, 0, 123456, tzinfo=UTC)

# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
HEADERS = {
    "webhook-id": (
        "The event's id: the same on every retry, by which a receiver knows what it has had. Ids of tests begin with "
        "`evt_test_`.",
        _EVENT_ID,
    ),
    "webhook-timestamp": ("Unix seconds of this attempt.", str(int(_MOMENT.timestamp()))),
    "webhook-signature": (
        "`v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`, under the bytes that the secret's base64 "
        "after `whsec_` stands for. Several, separated by spaces, while a secret is being rotated.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}


_ANSWERS = {
    "410": {"description": "Nothing is wanted here any more: the channel is paused."},
    "default": {
        "description": "Not received. 408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 525 and 530 are "
        "retried up to three times, unless set otherwise; all others, redirects included, are not."
    },
}
_ANSWERS_TO_ALERTS = {
    "default": {
        "description": "Not received. It is retried after 1, 4, 16 and more minutes, daily at last, while it is still "
        "so; after an answer that is not retried otherwise, twice."
    },
}


def webhooks_of(event_types: Iterable[EventType], define: Callable[[Definitions], None]) -> dict[str, Any]:
    """The path item of each event type, by its key. `define` is given the schemas that they refer to."""
    return {event_type.key: {"post": _webhook(event_type, define)} for event_type in event_types}


def describe_bodies(schemas: Definitions, event_types: Iterable[EventType]) -> None:
    """Describe members that hold the body of any event: one of those here, or of an event type to come."""
    names = [event_schema_name(event_type.key) for event_type in event_types]
    for schema in schemas.values():
        for member in each_schema(schema):
            if member.pop(EVENT_BODY, None):
                known = [{"$ref": REF_TEMPLATE.format(model=name)} for name in names]
                member["anyOf"] = [*known, {"type": "object", "additionalProperties": True}, {"type": "null"}]


def event_schema_name(key: str) -> str:
    """`order.completed` is `OrderCompletedEvent`."""
    return "".join(part.title() for part in re.split(r"[._]", key)) + "Event"


def _webhook(event_type: EventType, define: Callable[[Definitions], None]) -> dict[str, Any]:
    name = event_schema_name(event_type.key)
    data = event_type.data
    envelope = _definition(Envelope, define)
    members = {
        **envelope["properties"],
        "type": {**envelope["properties"]["type"], "const": event_type.key},
        "data": {"$ref": REF_TEMPLATE.format(model=data.__name__)},
    }
    define({data.__name__: _definition(data, define)})
    define({name: {**envelope, "title": name, "description": event_type.description, "properties": members}})
    retry = "A failed delivery can be retried by hand." if event_type.manual_retry else ""
    return {
        "operationId": f"on_{event_type.key.replace('.', '_')}",
        "summary": event_type.label,
        "description": f"{event_type.description}\n\nThe body's bytes are the same on every retry. {retry}".strip(),
        "tags": ["Postbacks"],
        "security": [],
        "parameters": [
            {
                "in": "header",
                "name": header,
                "required": True,
                "description": description,
                "schema": {"type": "string"},
                "example": example,
            }
            for header, (description, example) in HEADERS.items()
        ],
        "requestBody": {
            "description": "The event, as `application/json; charset=utf-8`.",
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": REF_TEMPLATE.format(model=name)},
                    "example": json.loads(sample_body(event_type, event_id=_EVENT_ID, created_at=_MOMENT)),
                }
            },
        },
        "responses": {
            "2XX": {"description": "Received. The body of the answer is not looked at."},
            **(_ANSWERS_TO_ALERTS if event_type.signal is None else _ANSWERS),
        },
    }


def _definition(model: type[BaseModel], define: Callable[[Definitions], None]) -> dict[str, Any]:
    schema: dict[str, Any] = model.model_json_schema(
        ref_template=REF_TEMPLATE, schema_generator=NinjaGenerateJsonSchema, mode="serialization"
    )
    define(schema.pop("$defs", {}))
    return schema
