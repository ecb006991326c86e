"""The body of an event: what every channel receives."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from django.utils import timezone
from pydantic import BaseModel, Field

from notifications.events.base import EventType
from notifications.events.samples import SAMPLE_SOURCE
from orders.representations import SourceName, TimeText


class Envelope(BaseModel):
    """The body of a postback. `timestamp` is the moment of recording."""

    id: Annotated[
        str,
        Field(
            description="The event's id, the same as `webhook-id` and the same on every retry.",
            examples=["evt_01kaskf4zze4t9a1t8cdhyjvb5"],
        ),
    ]
    type: Annotated[str, Field(description="The event type, by its key.")]
    timestamp: Annotated[TimeText, Field(description="When it was recorded.")]
    source: SourceName
    data: dict[str, Any]


def build_body(
    event_type: EventType, facts: Mapping[str, Any], *, event_id: str, created_at: datetime, source: str
) -> str:
    """The body as compact JSON text; kept as it is, so that its UTF-8 bytes never change.

    Raises whatever building the event type's data raises.
    """
    envelope = Envelope.model_validate(
        {
            "id": event_id,
            "type": event_type.key,
            "timestamp": created_at,
            "source": source,
            "data": event_type.build_data(facts).model_dump(mode="json"),
        }
    )
    return json.dumps(envelope.model_dump(), ensure_ascii=False, separators=(",", ":"))


def sample_body(event_type: EventType, *, event_id: str, created_at: datetime | None = None) -> str:
    """The body of a sample event, as a channel would receive it: for tests that people send and for documentation."""
    created_at = created_at or timezone.now()
    facts = event_type.sample(created_at)
    return build_body(event_type, facts, event_id=event_id, created_at=created_at, source=SAMPLE_SOURCE)
