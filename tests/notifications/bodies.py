"""Bodies of events as they are frozen, made by the real payload code without a database."""

import json
from datetime import UTC, datetime
from typing import Any

from notifications.events import EVENT_TYPES
from notifications.events.bodies import sample_body

NOW = datetime(2026, 11, 23, 18, 36, 5, tzinfo=UTC)
EVENT_ID = "evt_01kaskf4zze4t9a1t8cdhyjvb5"
TEST_EVENT_ID = "evt_test_01kaskf4zze4t9a1t8cdhyjvb5"
CONTACT_ID = "con_01kaskf4zze4t9a1t8cdhyjvb5"


def body_of(key: str, event_id: str = EVENT_ID, **members: dict[str, Any] | Any) -> dict[str, Any]:
    """The sample of an event type. `members` go into its data: an object's into the one that is there."""
    body: dict[str, Any] = json.loads(sample_body(EVENT_TYPES[key], event_id=event_id, created_at=NOW))
    for name, value in members.items():
        if isinstance(value, dict) and isinstance(body["data"][name], dict):
            body["data"][name].update(value)
        else:
            body["data"][name] = value
    return body
