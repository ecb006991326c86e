"""Examples of bodies and answers, made from their schemas, so that no call is without one.

They are the members' own (`Field(examples=...)`, `const`, the first word of an enum). What is right for one member and
impossible beside another (a purchase that was approved and has a reason for its decline) is adjusted by operation.
"""

from copy import deepcopy
from typing import Any

from api.openapi.references import REF

_ID = "01kaskf4zze4t9a1t8cdhyjvb5"
_MOMENT = "2026-11-23T18:36:00.123456Z"
# The schema of what stands in an event's body.
_AN_EVENT = "OrderCompletedEvent"

# Members that are not required, without which the call would be an odd one.
_SENT_TOO = {
    "ChannelRequest": ["url"],
    "ChannelChange": ["name"],
    "RefundRequest": ["amount", "reason"],
    "CancelRequest": ["reason"],
    "ReplayRequest": ["event_types"],
    "TestRequest": ["event_type"],
    "AttachmentRequest": ["sources"],
    "SurveyResponseRequest": ["email"],
}

_NO_DECLINE = {"decline_code": None, "decline_message": None}
_SOLD: dict[str, Any] = {"funnel": None, "subscriptions": [], "tracking": None}
_OPEN = {"status": "open", "paid_total": "0.00", "completed_at": None}
_FROM_A_FUNNEL = {"source": "funnel", "origin": "funnel", "contact": {"source": "funnel"}}
_A_MUG = {"sku": "mug", "title": "Mug", "kind": "physical"}
_A_CLUB = {"product": {"sku": "club", "title": "Book club"}}
_PENDING = {
    "status": "pending",
    "next_attempt_at": _MOMENT,
    "finished_at": None,
    "retry_refused_because": "It is waiting to be sent.",
}
_FAILED = {"outcome": "http_error", "status_code": 503, "error": "The receiver answered 503.", "response_body": ""}
_LISTED = {"attempts": [{"request_headers": ..., "response_headers": ..., "response_body": ...}]}
_OCCURRED = {"body": {"data": {"order": _SOLD}}}
# By operation and status. `...` takes a member away.
_ADJUSTMENTS: dict[tuple[str, str], dict[str, Any]] = {
    ("list_products", "200"): {"results": [{"interval": None}]},
    ("send_contact", "201"): {"status": "lead"},
    ("send_contact", "200"): {"reactivated": True},
    ("open_order", "201"): {**_SOLD, **_OPEN, "items": [{"paid": False}], "contact": {"status": "lead"}},
    ("read_order", "200"): _SOLD,
    ("thank_buyer", "200"): {"subscriptions": [], "tracking": None, **_FROM_A_FUNNEL},
    ("track_order", "200"): {"funnel": None, "subscriptions": [], "items": [_A_MUG]},
    ("report_transaction", "201"): {"amount": "53.90", **_NO_DECLINE},
    ("report_transaction", "200"): {"amount": "53.90", **_NO_DECLINE},
    ("give_refund", "201"): {"amount": "10.00"},
    ("cancel_subscription", "200"): _A_CLUB,
    ("pause_channel", "200"): {"status": "paused", "pause_reason": "Paused through the API."},
    ("list_events", "200"): {"results": [_OCCURRED]},
    ("read_event", "200"): _OCCURRED,
    ("list_deliveries", "200"): {"results": [_LISTED]},
    ("send_test", "202"): {
        **_PENDING,
        "event": f"evt_test_{_ID}",
        "order": None,
        "attempts_made": 0,
        "attempts": [],
    },
    ("retry_delivery", "202"): {**_PENDING, "attempts": [_FAILED]},
}


def example_of(schema: dict[str, Any], schemas: dict[str, Any], *, sent: bool = False) -> Any:
    """A value that fits `schema`, whose references point into `schemas` (`components/schemas`).

    An answer shows all its members; what is `sent` to the API only those that it needs.
    """
    return _value(schema, schemas, sent, "", "")


def adjusted(operation: str, status: str, example: Any) -> Any:
    """The example with the members that are otherwise in answers of this operation with this status."""
    return _merged(example, _ADJUSTMENTS.get((operation, status), {}))


def _merged(example: Any, changes: Any) -> Any:
    if isinstance(changes, dict) and isinstance(example, dict):
        merged = {name: _merged(value, changes.get(name, value)) for name, value in example.items()}
        return {name: value for name, value in merged.items() if value is not ...}
    if isinstance(changes, list) and isinstance(example, list) and changes:
        return [_merged(value, changes[0]) for value in example]
    return deepcopy(changes) if changes is not example else example


def _value(schema: dict[str, Any], schemas: dict[str, Any], sent: bool, name: str, owner: str) -> Any:
    if name == "body" and _AN_EVENT in schemas:
        return _value(schemas[_AN_EVENT], schemas, sent, "", _AN_EVENT)
    if "const" in schema:
        return schema["const"]
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        referred = schema["$ref"].removeprefix(REF)
        return _value(schemas[referred], schemas, sent, name, referred)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            options = [option for option in schema[choice] if option.get("type") != "null"]
            return _value(options[0], schemas, sent, name, owner)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return _object(schema, schemas, sent, owner)
        case "array":
            return [_value(schema.get("items", {}), schemas, sent, "", owner)]
        case "integer" | "number":
            return schema.get("minimum", schema.get("default", 1))
        case "boolean":
            return schema.get("default", False)
    return _MOMENT if schema.get("format") == "date-time" else "text"


def _object(schema: dict[str, Any], schemas: dict[str, Any], sent: bool, owner: str) -> dict[str, Any]:
    members = schema.get("properties", {})
    if sent:
        given = {*schema.get("required", []), *_SENT_TOO.get(owner, [])}
        members = {name: member for name, member in members.items() if name in given}
    return {name: _value(member, schemas, sent, name, owner) for name, member in members.items()}
