"""The bodies that receivers build on, member for member and in order, against files kept beside this test.

What differs from run to run is shown as its form: ids as their prefix, times as `<time>`, order numbers as `<number>`.
"""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from notifications.models import Event
from orders import services
from orders.inputs import AddressInput
from orders.models import Funnel, Order, Product
from tests.orders.shop import contact_input, decline, item, pay, place, refund

pytestmark = pytest.mark.django_db

GOLDEN = Path(__file__).parent / "golden"
ADDRESS = {
    "first_name": "Grace",
    "last_name": "Hopper",
    "line1": "1 Navy Way",
    "line2": "",
    "city": "Arlington",
    "state": "VA",
    "zip_code": "22202",
    "country": "US",
}
TYPE_ID = re.compile(r"\b(con|txn|ref|evt)_[0-9a-z]{26}\b")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


def normalised(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: normalised(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [normalised(member) for member in value]
    if isinstance(value, str):
        if name in {"number", "id"} and value.isdigit():
            return f"<{name}>"
        return TIME.sub("<time>", TYPE_ID.sub(r"\1_<id>", value))
    return value


def only(event_type: str) -> Event:
    return Event.objects.get(type=event_type)


def compare(event: Event, name: str) -> None:
    assert event.body is not None
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    body = json.loads(event.body)
    assert json.dumps(normalised(body), indent=2) == json.dumps(golden, indent=2)
    assert event.body == json.dumps(body, ensure_ascii=False, separators=(",", ":"))


@pytest.fixture
def funnel_order(funnel: Funnel, mug: Product) -> Order:
    buyer = contact_input(
        "Grace@Example.com",
        first_name="Grace",
        last_name="Höpper",
        phone={"country": "US", "number": "+1 202 555 0100"},
        tags=["vip", "navy"],
        billing_address=ADDRESS,
        shipping_address={**ADDRESS, "line2": "Deck 2"},
    )
    Product.objects.create(sku="course", title="Course", kind="digital", unit_price=Decimal(49), currency="USD")
    order = place(
        buyer,
        item("mug", 2),
        source="funnel",
        shipping=Decimal("4.90"),
        tax=Decimal("1.10"),
        shipping_address=AddressInput.model_validate({**ADDRESS, "line2": "Deck 2"}),
    )
    decline(order, "31.00", reference="d1", decline_code="51", decline_message="Insufficient funds")
    pay(order, "31.00", reference="r1")
    pay(order, "49.00", reference="r2", is_upsell=True, items=[item("course")])
    services.reach_thank_you(number=order.number)
    refund(order, "10.00", transaction=order.transactions.get(reference="r1").pk, reason="Chipped")
    return order


@pytest.mark.parametrize(
    ("event_type", "name"),
    [
        ("contact.created", "contact.created"),
        ("transaction.declined", "transaction.declined"),
        ("customer.created", "customer.created"),
        ("order.completed", "order.completed"),
        ("refund.applied", "refund.applied"),
    ],
)
def test_a_funnel_order(funnel_order, event_type, name):
    compare(only(event_type), f"funnel.{name}")


def test_the_upsell_of_a_funnel_order(funnel_order):
    first, upsell = Event.objects.filter(type="transaction.approved").order_by("created_at")
    compare(first, "funnel.transaction.approved")
    compare(upsell, "funnel.transaction.approved.upsell")


def test_members_that_do_not_apply_to_a_bare_order_of_the_admin_are_null(mug):
    contact = services.create_contact_by_staff(data=contact_input("ada@example.com"))
    pay(place(contact, item("mug"), source="admin"))
    compare(only("contact.created"), "admin.contact.created")
    compare(only("order.completed"), "admin.order.completed")
