"""The bodies that receivers build on, member for member and in order, against files kept beside this test.

What differs from run to run is shown as its form: ids as their prefix, times as `<time>`, order numbers as `<number>`.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from notifications import receivers
from notifications.models import Event
from orders import services
from orders.inputs import AddressInput, TrackingInput
from orders.models import Funnel, Order, Product, Survey
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
TYPE_ID = re.compile(r"\b(con|txn|ref|evt|sub|rsp)_[0-9a-z]{26}\b")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


@pytest.fixture(autouse=True)
def every_body_is_built_without_a_statement(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All that it tells was read before; else recording an event would cost more statements."""
    asked: list[str] = []
    refuse = receivers._refuse_statement

    def note(execute: Any, sql: str, *rest: Any) -> None:
        asked.append(sql)
        refuse(execute, sql, *rest)

    monkeypatch.setattr(receivers, "_refuse_statement", note)
    yield
    assert asked == []


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


@pytest.fixture
def club_order(funnel_order: Order) -> Order:
    """The same buyer, in the shop: a course that she has, and a subscription."""
    Product.objects.create(
        sku="club", title="Club", kind="subscription", unit_price=Decimal("9.00"), currency="USD", interval="month"
    )
    order = place(funnel_order.contact, item("course"), item("club", 2))
    pay(order, "67.00", reference="r3")
    return order


def test_a_product_that_the_buyer_has(club_order):
    compare(only("product.conflict"), "shop.product.conflict")


def test_tracking(club_order):
    tracking = {"carrier": "UPS", "number": "1Z999AA10123456784", "url": "https://example.com/t/1Z"}
    services.set_tracking(number=club_order.number, tracking=TrackingInput.model_validate(tracking))
    compare(only("shipping.tracking_updated"), "shop.shipping.tracking_updated")


def test_a_canceled_subscription(club_order):
    services.cancel_subscription(subscription_id=club_order.subscriptions.get().pk, reason="Too much coffee")
    compare(only("subscription.canceled"), "shop.subscription.canceled")


class TestSurveys:
    answers = {"rating": 5, "liked": ["taste", "price"], "remark": "Très bon\nmerci"}

    @pytest.fixture(autouse=True)
    def survey(self, db: None) -> None:
        Survey.objects.create(slug="after-sales", title="After sales")

    def test_of_an_order(self, funnel_order):
        services.complete_survey(slug="after-sales", source="shop", order=funnel_order.number, answers=self.answers)
        compare(only("survey.completed"), "funnel.survey.completed.order")

    def test_of_somebody_unknown(self):
        services.complete_survey(slug="after-sales", source="shop", email="who@example.com", answers=self.answers)
        compare(only("survey.completed"), "shop.survey.completed.email")
