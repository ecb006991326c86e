"""Version 1 against its own document: no request that the document leads to breaks what the document says.

Schemathesis makes the requests, right and wrong ones, and looks at each answer. What the requests name (orders,
channels, products ...) is narrowed to what there is, so that they get behind the first check.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from itertools import count
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.strategies import SearchStrategy
from pytest_django import Settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.idempotency import HEADER
from api.keys import create_key
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import services
from notifications.delivery.engine import Engine
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event
from orders.models import Contact, Funnel, Order, Product, Source, Subscription, Survey, Transaction
from tests.orders.shop import contact_input, decline, item, pay, place, refund
from tests.servers.receiver import Received, Receiver

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# What takes things away from the other calls.
LAST = ["/pause", "DELETE /api/v1/event-types", "DELETE /api/v1/channels"]
NUMBERS = count()
SCHEMA = "#/components/schemas/"


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_in_the_working_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hypothesis keeps what it has worked out about Unicode and our code."""
    set_hypothesis_home_dir(tmp_path_factory.mktemp("hypothesis"))


def refuse_one_channel(request: Received) -> int:
    return 400 if request.path.endswith("/refused") else 200


def open_shop() -> None:
    """Orders in every status, from the shop and from a funnel, and a subscription."""
    for sku, kind, interval in (
        ("mug", "physical", None),
        ("course", "digital", None),
        ("club", "subscription", "month"),
    ):
        Product.objects.create(sku=sku, title=sku.title(), kind=kind, unit_price=Decimal("10"), interval=interval)
    Funnel.objects.create(name="Spring launch", slug="spring")
    Survey.objects.create(slug="how", title="How did you find us?")
    decline(place(contact_input("open@example.com"), item("mug")), "10", "d1")
    pay(place(contact_input("paid@example.com"), item("course"), source="funnel"), "10", "r1")
    completed = place(contact_input("completed@example.com"), item("mug"), item("club"))
    pay(completed, "20", "r2")
    refund(completed, "5")
    refunded = place(contact_input("refunded@example.com"), item("mug"))
    pay(refunded, "10", "r3")
    refund(refunded, kind="void")


@pytest.fixture
def shop(transactional_db: None, settings: Settings) -> None:
    """A shop, of whose events one channel receives all and another refuses all."""
    settings.POSTBACK_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    with Receiver(answer=refuse_one_channel) as receiver:
        create_channel(name="spare", kind="postback", url=receiver.url)
        for name in ("received", "refused"):
            channel = create_channel(name=name, kind="postback", url=receiver.url.rstrip("/") + f"/{name}")
            for event_type in EVENT_TYPES.values():
                services.set_event_type_enabled(event_type=event_type, enabled=True, by="test")
                services.attach_channel(event_type=event_type, channel_id=channel.pk, sources=Source.values, by="test")
        open_shop()
        engine = Engine()
        engine.deliver_due()
        engine.stop()
        assert engine.join(timeout=20)
    assert {"succeeded", "failed"} <= set(Delivery.objects.values_list("status", flat=True))


def some(values: Any) -> list[str]:
    """A few of what there is, and one that there is not."""
    return [*map(str, values[:3]), "unknown"]


def known_parameters() -> dict[str, list[str]]:
    channels = some(Channel.objects.order_by("pk").values_list("pk", flat=True))
    orders = [*Order.objects.order_by("status", "pk").distinct("status").values_list("number", flat=True), "unknown"]
    event_types = [*EVENT_TYPES, "unknown"]
    failed = Delivery.objects.filter(status="failed").order_by("-event_type", "pk")
    return {
        "channel": channels,
        "channel_id": channels,
        "delivery_id": [*some(failed.values_list("pk", flat=True)), Delivery.objects.filter(status="succeeded")[0].pk],
        "event_id": some(Event.objects.values_list("pk", flat=True)),
        "event_type": event_types,
        "key": event_types,
        "number": orders,
        "order": orders,
        "slug": ["how"],
        "source": ["admin", "shop", "funnel"],
        "status": ["pending", "held", "succeeded", "failed", "unknown"],
        "subscription_id": some(Subscription.objects.values_list("pk", flat=True)),
    }


def known_members() -> dict[str, list[Any]]:
    """Of bodies. Text is narrowed too, since most random text has control characters."""
    known = known_parameters()
    words: list[Any] = ["Ada", "Zoë", " spaced "]
    amounts: list[Any] = ["0.50", 1, "2.00"]
    paid = Transaction.objects.filter(status="approved", order__number__in=known["order"])
    return {
        **dict.fromkeys(("carrier", "city", "first_name", "last_name", "line1", "line2", "name", "reason"), words),
        **dict.fromkeys(("decline_code", "decline_message", "gateway", "number", "state", "zip_code"), words),
        **dict.fromkeys(("amount", "unit_price", "shipping", "tax"), amounts),
        "channel": known["channel"],
        "country": ["GB", "US", ""],
        "currency": ["USD"],
        "email": [*some(Contact.objects.values_list("email", flat=True))[:3], *(f"n{n}@example.com" for n in range(9))],
        "event_type": known["event_type"],
        "funnel": ["spring"],
        "headers": [{}, {"X-Warehouse": "north"}],
        "answers": [{}, {"stars": 5}],
        "id": some(Contact.objects.values_list("pk", flat=True))[:3],
        "kind": ["postback", "email", "slack"],
        "order": known["order"][:-1],
        "quantity": [1, 2],
        "recipients": [[], ["ada@example.com"]],
        "reference": [f"new-{n}" for n in range(9)],
        "sku": ["mug", "course", "club"],
        "sources": [["shop"], ["admin", "funnel"]],
        "tags": [[], ["newsletter"]],
        "transaction": some(paid.values_list("pk", flat=True)),
        "url": ["https://example.com/hook"],
    }


def narrowed(document: dict[str, Any], *, right: bool) -> dict[str, Any]:
    """The document, leading to what there is. Of answers it says the same.

    For wrong requests only paths are narrowed: what is not in our lists is not wrong.
    """
    document = deepcopy(document)
    parameters, members = known_parameters(), known_members()

    def narrow(schema: dict[str, Any], known: list[Any]) -> dict[str, Any]:
        named = document["components"]["schemas"].get(schema.get("$ref", "").removeprefix(SCHEMA), schema)
        allowed = [value for value in known if value in named.get("enum", [value])]
        nullable = {"type": "null"} in schema.get("anyOf", [])
        return {"enum": [*allowed, *([None] if nullable else [])]} if allowed else schema

    sent: list[str] = []
    for path in document["paths"].values():
        for operation in path.values():
            if right:
                sent.append(json.dumps(operation.get("requestBody", {})))
            for parameter in operation["parameters"]:
                if parameter.get("name") in parameters and (right or parameter["in"] == "path"):
                    parameter["schema"] = narrow(parameter["schema"], parameters[parameter["name"]])
    seen: set[str] = set()
    while sent:
        for name in set(re.findall(f'"{SCHEMA}([^"]+)"', sent.pop())) - seen:
            seen.add(name)
            schema = document["components"]["schemas"][name]
            sent.append(json.dumps(schema))
            for member in schema.get("properties", {}).keys() & members.keys():
                schema["properties"][member] = narrow(schema["properties"][member], members[member])
    return document


def calling(
    cases: SearchStrategy[Case], key: str, checks: list[Any], examples: int, statuses: set[int]
) -> Callable[[], None]:
    """Makes the calls, always the same ones, and notes the `statuses` of their answers."""

    @hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=cases)
    def call(case: Case) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        if case.meta and case.meta.generation.mode == GenerationMode.POSITIVE:
            headers[HEADER] = f"call {next(NUMBERS)}"  # Hypothesis would send few keys, each many times
        response = case.call(headers=headers)
        statuses.add(response.status_code)
        case.validate_response(response, checks=checks)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "checks", "examples"),
    [
        (GenerationMode.POSITIVE, CHECKS, 15),
        (GenerationMode.NEGATIVE, [*CHECKS, negative_data_rejection], 10),
    ],
    ids=["right", "wrong"],
)
def test_no_answer_breaks_the_document(shop: None, mode: GenerationMode, checks: list[Any], examples: int) -> None:
    from config.wsgi import application  # here, since it looks for the static files that a fixture replaces

    right = mode == GenerationMode.POSITIVE
    schema = schemathesis.openapi.from_dict(narrowed(Client().get("/api/v1/openapi.json").json(), right=right))
    # Over WSGI, Schemathesis asks for gzip and does not unpack it.
    schema.app = lambda environ, start: application({**environ, "HTTP_ACCEPT_ENCODING": "identity"}, start)
    schema.config.generation.with_security_parameters = False
    key = create_key(name="Both", scopes=["storefront", "manage"])[1]
    answered: dict[str, set[int]] = {}
    broken: list[str] = []

    operations = {result.ok().label: result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)}
    for label in sorted(operations, key=lambda label: next((LAST.index(end) for end in LAST if end in label), -1)):
        answered[label] = set()
        # A call whose members must fit each other may need more tries to be taken once. Which ones Hypothesis makes
        # changes with the code of the project, whose constants it takes.
        for tries in (examples, 8 * examples, 40 * examples) if right else (examples,):
            call = calling(operations[label].as_strategy(generation_mode=mode), key, checks, tries, answered[label])
            try:
                call()
            except Exception as error:
                broken.append(f"{label}: {error}")
                break
            if min(answered[label]) < 300:
                break

    assert "\n".join(broken) == ""
    assert len(answered) == 31
    if right:
        never = [label for label, statuses in answered.items() if min(statuses) >= 300]
        assert never == [], "never taken: name what they need in known_parameters or known_members"
