"""Examples of bodies and answers, made from their schemas, so that no call is without one.

What a schema says itself (`examples`, `const`) comes first, then what is known here by a member's name.
"""

from typing import Any

REF = "#/components/schemas/"
_ID = "01kaskf4zze4t9a1t8cdhyjvb5"
# The schema of what stands in an event's body.
_AN_EVENT = "OrderCompletedEvent"

# A word in a schema's name, and the id of such a thing.
_IDS = {
    "Contact": f"con_{_ID}",
    "Transaction": f"txn_{_ID}",
    "Refund": f"ref_{_ID}",
    "Subscription": f"sub_{_ID}",
    "Response": f"rsp_{_ID}",
    "Channel": f"chn_{_ID}",
    "Delivery": f"dlv_{_ID}",
    "Attempt": f"att_{_ID}",
    "Event": f"evt_{_ID}",
}
_MEMBERS: dict[str, Any] = {
    "amount": "49.00",
    "channel": f"chn_{_ID}",
    "attempts_made": 1,
    "changed_by": "ada",
    "channel_id": f"chn_{_ID}",
    "cursor": None,
    "delivery": f"dlv_{_ID}",
    "delivery_id": f"dlv_{_ID}",
    "duration_ms": 118,
    "email": "ada@example.com",
    "error": "",
    "event": f"evt_{_ID}",
    "event_id": f"evt_{_ID}",
    "event_type": "order.completed",
    "event_types": ["order.completed"],
    "expand": "attempts",
    "first_name": "Ada",
    "gateway": "stripe",
    "headers": {"X-Warehouse": "north"},
    "key": "order.completed",
    "kind": "postback",
    "kinds": ["postback", "email", "slack"],
    "label": "Order completed",
    "description": "An order closes successfully.",
    "last_name": "Byron",
    "name": "Warehouse",
    "next": None,
    "next_attempt_at": None,
    "number": "1001",
    "order": "1001",
    "outcome": "delivered",
    "pause_reason": None,
    "quantity": 1,
    "reason": "Asked for by the customer.",
    "recipients": [],
    "reference": "pi_3Q8r",
    "request_headers": {"webhook-id": f"evt_{_ID}"},
    "response_body": "ok",
    "response_headers": {"content-type": "text/plain"},
    "retry_refused_because": "Only a failed delivery can be retried.",
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD3Udm0WkPvbo=",
    "sku": "course",
    "slug": "autumn",
    "source": "shop",
    "sources": ["admin", "shop", "funnel"],
    "status_code": 200,
    "subscription_id": f"sub_{_ID}",
    "trigger": "first",
    "type": "order.completed",
    "unit_price": "49.00",
    "url": "https://warehouse.example.com/hooks/orders",
}
# Where a member of that name means something else, or would contradict the others, by a word in the schema's name.
_MEMBERS_OF: dict[tuple[str, str], Any] = {
    ("Attempt", "outcome"): "succeeded",
    ("Attempt", "number"): 1,
    ("Delivery", "status"): "succeeded",
    ("Channel", "status"): "active",
    ("ListedChannel", "headers"): {"X-Warehouse": "********"},
    ("Replay", "status"): "running",
    ("Replay", "id"): f"rpl_{_ID}",
    ("Replay", "count"): 12,
    ("Replay", "finished_at"): None,
    ("EventTypeChange", "enabled"): True,
    ("EventTypeOut", "enabled"): True,
    ("EventTypeOut", "manual_retry"): True,
    ("TransactionOut", "decline_code"): None,
    ("TransactionOut", "decline_message"): None,
}
# Members that are not required, without which the call would be an odd one.
_GIVEN = {
    "ChannelIn": ["url"],
    "ChannelChange": ["name"],
    "RefundCall": ["amount", "reason"],
    "CancelCall": ["reason"],
    "ReplayRequest": ["event_types"],
    "SurveyCall": ["email"],
}


def example_of(schema: dict[str, Any], schemas: dict[str, Any], *, sent: bool = False) -> Any:
    """A value that fits `schema`, whose references point into `schemas` (`components/schemas`).

    An answer shows all its members; what is `sent` to the API only those that it needs.
    """
    return _value(schema, schemas, sent, "", "")


def named_example(name: str) -> Any:
    """A value for the parameter `name`; None where nothing is known."""
    return _MEMBERS.get(name)


def _value(schema: dict[str, Any], schemas: dict[str, Any], sent: bool, name: str, owner: str) -> Any:
    for word, member in _MEMBERS_OF:
        if member == name and word in owner:
            return _MEMBERS_OF[word, member]
    if name == "body" and _AN_EVENT in schemas:
        return _value(schemas[_AN_EVENT], schemas, sent, "", _AN_EVENT)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    found, value = _known(name, owner)
    if found and _allows(schema, value):
        return value
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
    if schema.get("format") == "date-time":
        return "2026-11-23T18:36:00.123456Z"
    return "text"


def _object(schema: dict[str, Any], schemas: dict[str, Any], sent: bool, owner: str) -> dict[str, Any]:
    members = schema.get("properties", {})
    if sent:
        given = {*schema.get("required", []), *_GIVEN.get(owner, [])}
        members = {name: member for name, member in members.items() if name in given}
    return {name: _value(member, schemas, sent, name, owner) for name, member in members.items()}


def _known(name: str, owner: str) -> tuple[bool, Any]:
    if name == "id":
        return next(((True, value) for word, value in _IDS.items() if word in owner), (False, None))
    return name in _MEMBERS, _MEMBERS.get(name)


def _allows(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value known by its member's name is of the type that this schema wants."""
    if "enum" in schema:
        return value in schema["enum"]
    options = schema.get("anyOf") or [schema]
    wanted = {option.get("type") for option in options}
    is_of = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object", type(None): "null"}
    return is_of[type(value)] in wanted and not any("enum" in option for option in options)
