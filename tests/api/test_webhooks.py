"""The `webhooks` of the OpenAPI document against what is really sent: the golden payloads."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from notifications.events import EVENT_TYPES
from notifications.events.alerts import ALERT_TYPES

GOLDEN = sorted((Path(__file__).parents[1] / "notifications" / "golden").glob("*.json"))
REAL = {"<id>": "01kaskf4zze4t9a1t8cdhyjvb5", "<time>": "2026-11-23T18:36:00.123456Z", "<number>": "1001"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    document: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return document


def golden(path: Path) -> dict[str, Any]:
    """The payload with real-looking values for what differs from run to run."""
    payload: dict[str, Any] = json.loads(re.sub(r"<\w+>", lambda found: REAL.get(found[0], "1"), path.read_text()))
    return payload


def schema_of(document: dict[str, Any], event_type: str) -> Draft202012Validator:
    schema = document["webhooks"][event_type]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a payload whose members we choose: not a survey's answers."""
    if isinstance(value, dict):
        yield value
        for name, member in value.items():
            if name != "answers":
                yield from objects(member)
    elif isinstance(value, list):
        for member in value:
            yield from objects(member)


def spoilt(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The payload with one member missing, for each member."""
    for index, whole in enumerate(objects(payload)):
        for name in whole:
            copy = deepcopy(payload)
            del list(objects(copy))[index][name]
            yield copy


def grown(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The payload with a member more, for each object, as a later version may send it."""
    for index, _ in enumerate(objects(payload)):
        copy = deepcopy(payload)
        list(objects(copy))[index]["added"] = None
        yield copy


def test_there_is_a_webhook_for_each_event_type_in_their_order_and_for_each_alert(document: dict[str, Any]) -> None:
    types = EVENT_TYPES | ALERT_TYPES
    assert list(document["webhooks"]) == list(types)
    for key, webhook in document["webhooks"].items():
        assert webhook["post"]["summary"] == types[key].label
        assert types[key].description in webhook["post"]["description"]
        assert ("410" in webhook["post"]["responses"]) == (key in EVENT_TYPES)
        assert [parameter["name"] for parameter in webhook["post"]["parameters"]] == [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        ]
        assert webhook["post"]["security"] == []


def test_the_example_of_a_webhook_fits_it(document: dict[str, Any]) -> None:
    for key, webhook in document["webhooks"].items():
        example = webhook["post"]["requestBody"]["content"]["application/json"]["example"]
        assert [error.message for error in schema_of(document, key).iter_errors(example)] == []
        assert example["type"] == key


def test_there_is_a_golden_payload_for_each_event_type() -> None:
    assert {golden(path)["type"] for path in GOLDEN} == set(EVENT_TYPES)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_payload_fits_its_schema_and_no_other(document: dict[str, Any], path: Path) -> None:
    payload = golden(path)

    assert [error.message for error in schema_of(document, payload["type"]).iter_errors(payload)] == []
    assert [key for key in EVENT_TYPES if schema_of(document, key).is_valid(payload)] == [payload["type"]]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_payload_may_have_members_added_but_none_missing(document: dict[str, Any], path: Path) -> None:
    payload = golden(path)
    schema = schema_of(document, payload["type"])
    wrong = list(spoilt(payload))

    assert len(wrong) > 12
    assert [one for one in wrong if schema.is_valid(one)] == []
    assert [one for one in grown(payload) if not schema.is_valid(one)] == []


def test_the_example_of_a_webhook_tells_of_what_can_be(document: dict[str, Any]) -> None:
    for key, webhook in document["webhooks"].items():
        data = webhook["post"]["requestBody"]["content"]["application/json"]["example"]["data"]
        orders = [data[name] for name in ("order", "previous_order") if data.get(name)]
        for order in orders:
            paid = Decimal(order["paid_total"]) > 0
            assert (order["status"] == "open") == (not paid), key
            assert (order["completed_at"] is not None) == (order["status"] in {"completed", "refunded"}), key
            assert {item["paid"] for item in order["items"]} == {paid}, key
            assert (order["source"] == "funnel") == (order["funnel"] is not None), key
            assert order["contact"]["status"] == ("customer" if paid else "lead"), key
            subscribed = {item["sku"] for item in order["items"] if item["kind"] == "subscription"}
            assert {each["sku"] for each in order["subscriptions"]} == subscribed, key
        if "product" in data:
            assert data["product"]["kind"] == "digital"
            assert all(data["product"]["sku"] in {item["sku"] for item in order["items"]} for order in orders)
        if "subscription" in data:
            assert data["subscription"]["product"]["sku"] == orders[0]["subscriptions"][0]["sku"]
        if "refund" in data:
            assert data["refund"]["amount"] == orders[0]["refunded_total"]
