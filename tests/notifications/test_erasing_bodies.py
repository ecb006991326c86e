"""What becomes of a body when a person's data is taken out of it."""

import json
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from notifications import erasure
from notifications.events import EVENT_TYPES

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
# fmt: off
HARMLESS = {
    "amount", "canceled_at", "carrier", "completed_at", "contact", "created_at", "currency", "decline_code", "funnel",
    "gateway", "id", "interval", "is_upsell", "paid", "items", "kind", "number", "order", "origin", "paid_total",
    "previous_order", "product", "quantity", "reactivated", "reference", "refund", "refunded_total", "response",
    "shipping", "sku", "slug", "name", "source", "started_at", "status", "subscription", "subscriptions", "subtotal",
    "survey", "tax", "title", "total", "tracking", "transaction", "unit_price", "updated_at", "url",
}
# fmt: on


def members(model: type[BaseModel], found: dict[str, set[str]]) -> None:
    """The names of all members reachable from this model, by the model that has them."""
    if model.__name__ in found:
        return
    found[model.__name__] = set(model.model_fields)

    def visit(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            members(annotation, found)
        for inner in typing.get_args(annotation):
            visit(inner)

    for field in model.model_fields.values():
        visit(field.annotation)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_nothing_says_who_it_was_and_the_shape_stays(golden):
    before = json.loads(golden.read_text())
    after = erasure.without_personal_data(before)
    names = ["Ada", "Byron", "Grace", "Hopper", "Navy", "Arlington", "22202", "@example", "+44", "1Z999"]
    assert any(name in json.dumps(before) for name in names)
    assert [name for name in names if name in json.dumps(after)] == []
    assert list(after) == list(before)
    assert (after["id"], after["type"], list(after["data"])) == (before["id"], before["type"], list(before["data"]))

    # What stays is what it was.
    def compare(old: Any, new: Any, name: str = "") -> None:
        if isinstance(old, dict) and isinstance(new, dict) and name != "answers":
            assert list(new) == list(old)
            for member in old:
                compare(old[member], new[member], member)
        elif isinstance(old, list) and name != "tags":
            assert len(new) == len(old)
            for one, other in zip(old, new, strict=True):
                compare(one, other)
        else:
            assert new in (old, erasure.PLACEHOLDER, None, [], {})

    compare(before, after)


def test_every_member_of_every_body_was_judged():
    """Whoever adds a member decides here whether it says who somebody is."""
    found: dict[str, set[str]] = {}
    for event_type in EVENT_TYPES.values():
        members(event_type.data, found)
    personal = erasure.TEXTS | erasure.OBJECTS | erasure.COLLECTIONS
    kept = {name: names - personal for name, names in found.items() if name not in ("AddressOut", "PhoneOut")}
    assert set().union(*kept.values()) == HARMLESS
    assert {name for name, names in found.items() if {"number", "url"} & names and "Phone" not in name} == {
        "OrderOut",
        "TrackingOut",
    }


def test_what_is_not_there_stays_not_there():
    data = {"email": None, "reason": "", "tracking": None, "tags": [], "phone": None}
    assert erasure.without_personal_data(data) == data


def test_of_tracking_the_carrier_stays():
    data = {"contact": {"first_name": "Ada", "tracking": {"number": "1", "url": "u", "carrier": "UPS"}}}
    assert erasure.without_personal_data(data)["contact"]["tracking"] == {
        "number": "[erased]",
        "url": None,
        "carrier": "UPS",
    }
