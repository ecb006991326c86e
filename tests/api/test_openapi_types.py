"""What generators of clients make of the document: they take it at its word."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from api.keys import create_key
from api.openapi.references import public_name
from api.v1 import _contact
from channels_app.transports import Outcome
from notifications.events import EVENT_TYPES
from notifications.models import Alert, Event, ReplayJob, Trigger
from orders.models import Contact, Funnel, Order, OrderItem, Product, Source, Subscription, Survey, Transaction
from tests.calling import Caller
from tests.orders.shop import item, pay, place

REF = "#/components/"
EXTENSIBLE = "x-extensible-enum"
EXAMPLES = {"example", "examples"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    document: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return document


@pytest.fixture(scope="module")
def schemas(document: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = document["components"]["schemas"]
    return schemas


def each(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in the document but for those in examples, with its path."""
    if isinstance(node, dict):
        yield path, node
        for name, value in node.items():
            if name not in EXAMPLES:
                yield from each(value, f"{path}/{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from each(value, f"{path}/{index}")


def reached(document: dict[str, Any], part: Any) -> set[str]:
    """The names of the schemas that lie behind a part of the document."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        for name in re.findall(f'"{REF}schemas/([^"]+)"', json.dumps(waiting.pop())):
            if name not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"][name])
    return found


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def sent(document: dict[str, Any]) -> set[str]:
    return reached(document, [[each.get("requestBody"), each["parameters"]] for each in operations(document)])


def given_out(document: dict[str, Any]) -> set[str]:
    return reached(document, [[each["responses"] for each in operations(document)], document["webhooks"]])


def test_no_number_is_a_float_and_every_integer_says_its_size(document: dict[str, Any]) -> None:
    for path, schema in each(document):
        said = schema.get("type")
        types = said if isinstance(said, list) else [said]
        assert "number" not in types, path
        assert "multipleOf" not in schema, path
        if "integer" in types:
            assert schema["format"] in {"int32", "int64"}, path
            assert not {"ge", "le", "gt", "lt"} & schema.keys(), path


def test_money_is_one_string_with_a_pattern(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    amounts = {"amount", "unit_price", "shipping", "tax", "total", "subtotal", "paid_total", "refunded_total"}
    found = 0
    for name, schema in schemas.items():
        for member, value in schema.get("properties", {}).items():
            if member in amounts:
                found += 1
                assert f'"{REF}schemas/Money"' in json.dumps(value), (name, member)
    assert found > 15
    money = schemas["Money"]
    assert money["type"] == "string"
    for text in ("0", "0.07", "49.00", "9999999999.99", "1500", "1.125"):
        assert re.search(money["pattern"], text), text
    for text in ("", "-1", "1e3", "01", "1.", ".5", "1,50", "1.00000"):
        assert not re.search(money["pattern"], text), text
    assert "number without an exponent is taken" in money["description"]


def test_dates_say_that_they_are(schemas: dict[str, Any]) -> None:
    for name, schema in schemas.items():
        for member, value in schema.get("properties", {}).items():
            if member.endswith("_at") or member in {"timestamp", "since"}:
                assert '"format": "date-time"' in json.dumps(value), (name, member)


def test_words_are_closed_where_sent_and_open_where_given_out(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    coming, going = sent(document), given_out(document)
    assert coming & going == {"Money", "Headers"}
    for name in going:
        for path, schema in each(schemas[name], name):
            assert "enum" not in schema, path
    given = {
        "EventTypeKey": list(EVENT_TYPES),
        "Source": Source.values,
        "ChannelKind": ["postback", "email", "slack"],
        "ChannelStatus": ["active", "paused"],
        "DeliveryStatus": ["pending", "held", "succeeded", "failed"],
        "AttemptTrigger": Trigger.values,
        "AttemptOutcome": Outcome.values,
        "RoutingOutcome": Event.RoutingOutcome.values,
        "ReplayStatus": ReplayJob.Status.values,
        "AlertKind": Alert.Kind.values,
        "OrderStatus": Order.Status.values,
        "ContactStatus": Contact.Status.values,
        "ProductKind": Product.Kind.values,
        "SubscriptionStatus": Subscription.Status.values,
        "TransactionStatus": Transaction.Status.values,
    }
    assert given.keys() <= going
    for name, words in given.items():
        schema = schemas[name]
        assert (schema["type"], schema[EXTENSIBLE]) == ("string", list(words)), name
        assert all(f"`{word}`" in schema["description"] for word in words), name
        assert "others may be added" in schema["description"]
    asked = {
        "EventTypeChoice": list(EVENT_TYPES),
        "SourceChoice": Source.values,
        "Sender": ["shop", "funnel"],
        "ChannelKindChoice": ["postback", "email", "slack"],
        "DeliveryStatusChoice": ["pending", "held", "succeeded", "failed"],
        "TransactionStatusChoice": ["approved", "declined"],
        "RefundKindChoice": ["refund", "void"],
        "SecretExpiry": ["now", "24h"],
        "DeliveryExpansion": ["attempts"],
    }
    assert asked.keys() <= coming
    for name, words in asked.items():
        assert schemas[name]["enum"] == list(words), name


WORDS = {
    "key",
    "kind",
    "status",
    "outcome",
    "trigger",
    "source",
    "sources",
    "event_type",
    "event_types",
    "kinds",
    "origin",
}


def test_no_word_is_a_bare_string(document: dict[str, Any]) -> None:
    """Whatever a member is called that holds a word: it leads to a list of the words."""
    schemas = document["components"]["schemas"]
    parts = {name: schema.get("properties", {}) for name, schema in schemas.items()}
    for operation in operations(document):
        parts[operation["operationId"]] = {
            parameter["name"]: parameter["schema"] for parameter in operation["parameters"] if "name" in parameter
        }
    found = 0
    for name, members in parts.items():
        for member, value in members.items():
            if member in WORDS and name != "Problem":
                found += 1
                names = re.findall(f'"{REF}schemas/([^"]+)"', json.dumps(value))
                assert any({"enum", EXTENSIBLE} & schemas[each].keys() for each in names), (name, member)
    assert found > 40
    assert schemas["Event"]["properties"]["type"]["$ref"].endswith("/EventTypeKey")


def test_everything_is_described(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    for name, schema in schemas.items():
        assert len(schema["description"]) > 8, name
        for member, value in schema.get("properties", {}).items():
            told = value.get("description") or schemas[value["$ref"].removeprefix(f"{REF}schemas/")]["description"]
            assert told.endswith((".", "".join(['"', '"']))), (name, member, told)
    for operation in operations(document):
        told = operation["description"].partition("Scope:")[0].strip()
        assert told.endswith("."), operation["operationId"]


def test_every_component_is_used_and_there_is_one_of_each(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    text = json.dumps(document)
    for kind, components in document["components"].items():
        if kind != "securitySchemes":
            assert [name for name in components if f'"{REF}{kind}/{name}"' not in text] == []
    shapes = [
        json.dumps({word: value for word, value in schema.items() if word not in {"description", *EXAMPLES}})
        for name, schema in schemas.items()
        # Two bodies without members, of calls that have nothing else in common.
        if schema.get("properties") != {}
    ]
    # The words of a status may be those that a call takes; but no closed or open list stands there twice.
    assert len(shapes) == len(set(shapes))


def test_nothing_sent_in_has_a_default_and_few_members_are_required(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = reached(document, [operation.get("requestBody") for operation in operations(document)])
    assert len(bodies) > 20
    for name in bodies:
        for path, schema in each(schemas[name], name):
            assert "default" not in schema, path
    assert schemas["OrderRequest"]["required"] == ["source", "contact", "items"]
    assert schemas["ContactRequest"]["required"] == ["email", "source"]
    assert "required" not in schemas["ChannelChange"]


def test_types_have_plain_names(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    assert not [name for name in schemas if re.search(r"(Out|Input|Output|Body\d*|In|Call)$|^Paged|\d$", name)]
    assert {"Order", "OrderRequest", "OrderPage"} - schemas.keys() == {"OrderPage"}
    assert {"Contact", "Product", "ProductPage", "Channel", "Delivery", "DeliveryPage", "Event"} <= schemas.keys()
    # Generators make types of these, and call some of their own so.
    assert not {"Response", "Request", "Error", "Object", "String", "Date", "File", "Client"} & schemas.keys()
    assert not [path for path, schema in each(schemas) if "title" in schema and "properties" in schema]
    ids = [operation["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids)) == 31
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", each) for each in ids)


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("OrderOut", "Order"),
        ("OrderCall", "OrderRequest"),
        ("AddressInput", "AddressRequest"),
        ("ChannelIn", "ChannelRequest"),
        ("ChannelChange", "ChannelChange"),
        ("PagedListedChannelOut", "ChannelPage"),
        ("PagedKey", "KeyPage"),
        ("Key", "Key"),
    ],
)
def test_the_rules_of_names(name: str, public: str) -> None:
    assert public_name(name) == public


def test_there_is_somebody_to_ask(document: dict[str, Any], settings: Any) -> None:
    assert document["info"]["contact"] == {"name": "Whoever runs this installation of Tidings"}
    settings.PUBLIC_URL = "https://tidings.example.com"
    settings.DEFAULT_FROM_EMAIL = "Tidings <shop@example.com>"
    assert _contact() == {
        "name": "Whoever runs this installation of Tidings",
        "url": "https://tidings.example.com",
        "email": "shop@example.com",
    }
    for nowhere in ("tidings@localhost", "tidings@127.0.0.1"):
        settings.DEFAULT_FROM_EMAIL = nowhere
        assert _contact().keys() == {"name", "url"}


def examples(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """By operation and status; the body of a call by operation and ""."""
    found = {}
    for operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            found[operation["operationId"], ""] = content["example"]
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                found[operation["operationId"], status] = content["example"]
    return found


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    """Those of members and parameters, too."""
    checked = 0
    for path, part in each(document):
        pairs = [(part["schema"], [part["example"]])] if {"schema", "example"} <= part.keys() else []
        if isinstance(part.get("examples"), list) and {"type", "$ref", "anyOf"} & part.keys():
            pairs.append((part, part["examples"]))
        for schema, given in pairs:
            validator = Draft202012Validator(
                {**schema, "components": document["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
            )
            for example in given:
                checked += 1
                assert [error.message for error in validator.iter_errors(example)] == [], path
    assert checked > 400


def test_examples_tell_of_what_can_be(document: dict[str, Any]) -> None:
    found = examples(document)
    assert found["list_products", "200"]["results"][0]["interval"] is None
    assert found["send_contact", "201"]["reactivated"] is False
    assert found["send_contact", "200"]["reactivated"] is True
    opened = found["open_order", "201"]
    assert (opened["status"], opened["paid_total"], opened["completed_at"]) == ("open", "0.00", None)
    assert (opened["subscriptions"], opened["items"][0]["paid"]) == ([], False)
    for status in ("200", "201"):
        assert found["report_transaction", status]["decline_code"] is None
    assert found["give_refund", ""]["amount"] == found["give_refund", "201"]["amount"]
    assert found["thank_buyer", "200"]["source"] == "funnel"
    orders = [found[name, status] for name, status in found if name in {"read_order", "open_order", "track_order"}]
    for order in (order for order in orders if "origin" in order):
        assert (order["source"] == "funnel") == (order["funnel"] is not None)
        assert float(order["total"]) == float(order["subtotal"]) + float(order["shipping"]) + float(order["tax"])
    [listed] = found["list_deliveries", "200"]["results"]
    assert "response_body" not in listed["attempts"][0]
    retried = found["retry_delivery", "202"]
    assert (retried["status"], retried["finished_at"]) == ("pending", None)
    assert (len(retried["attempts"]), retried["attempts"][0]["outcome"]) == (1, "http_error")
    assert found["send_test", "202"]["event"].startswith("evt_test_")
    assert found["pause_channel", "200"]["status"] == "paused"


@pytest.mark.django_db(transaction=True)
def test_every_body_in_the_examples_is_taken(document: dict[str, Any], settings: Any) -> None:
    """In a shop where the things that the examples name are there."""
    settings.DEFAULT_CURRENCY = "USD"
    Product.objects.create(sku="course", title="Watercolours for beginners", kind="digital", unit_price=Decimal(49))
    Product.objects.create(sku="club", title="Book club", kind="subscription", unit_price=Decimal(9), interval="month")
    Funnel.objects.create(name="Spring launch", slug="spring-launch")
    Survey.objects.create(slug="how-did-you-find-us", title="How did you find us?")
    known = Contact.objects.create(email="grace@example.com", source="shop")
    call = Caller(create_key(name="Both", scopes=["storefront", "manage"])[1])
    subscribed = place(known, item("club"))
    pay(subscribed, "9.00", "club")
    channel = call("POST", "/channels", examples(document)["create_channel", ""]).json()["id"]  # type: ignore[attr-defined]
    named = {
        "slug": "how-did-you-find-us",
        "subscription_id": Subscription.objects.get().pk,
        "channel_id": channel,
        "key": "order.completed",
    }
    taken = set()
    bodies = {operation: body for (operation, status), body in examples(document).items() if status == ""}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            if name not in bodies:
                continue
            body = bodies[name]
            if name in {"attach_channel", "open_order"} and "channel" in body:
                body = {**body, "channel": channel}
            paid = place(known, item("course"), source="funnel", funnel="spring-launch")
            pay(paid, "49.00", f"for {name}")
            where = path.removeprefix("/api/v1").format(**named, number=paid.number)
            answer = call(method.upper(), where, body)
            assert answer.status_code < 300, (name, body, answer.content)
            assert str(answer.status_code) in operation["responses"], name
            taken.add(name)
    assert taken == bodies.keys()
    assert OrderItem.objects.filter(product__sku="course").exists()
