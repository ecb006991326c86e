import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import jsonschema
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import services
from orders.currencies import money_text
from orders.inputs import AddressInput
from orders.models import Contact, Funnel, Product
from orders.representations import (
    ContactOut,
    OrderOut,
    ProductOut,
    RefundOut,
    TransactionOut,
    time_text,
)
from tests.orders.shop import contact_input, decline, item, pay, place, refund

pytestmark = pytest.mark.django_db

# The members of each object, in the order in which they are promised.
ADDRESS = ["first_name", "last_name", "line1", "line2", "city", "state", "zip_code", "country"]
CONTACT = [
    *("id", "first_name", "last_name", "email", "phone", "status", "source", "tags"),
    *("billing_address", "shipping_address", "created_at"),
]
ORDER = [
    *("number", "source", "origin", "status", "currency", "subtotal", "shipping", "tax", "total", "paid_total"),
    *("refunded_total", "funnel", "contact", "items", "subscriptions", "shipping_address", "tracking", "created_at"),
    "completed_at",
]
ITEM = ["sku", "title", "kind", "quantity", "unit_price", "total", "is_upsell", "paid"]
TRANSACTION = [
    *("id", "kind", "status", "amount", "currency", "gateway", "reference", "is_upsell", "decline_code"),
    *("decline_message", "created_at"),
]
REFUND = ["id", "kind", "amount", "currency", "reason", "created_at"]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("5", "5.00"),
        ("5.5", "5.50"),
        ("1E+3", "1000.00"),
        ("9998999999990001.01", "9998999999990001.01"),
    ],
)
def test_money_has_the_two_decimals_of_its_currency(amount: str, text: str) -> None:
    assert money_text(Decimal(amount), "USD") == text


def test_times_are_utc_with_six_digits() -> None:
    assert time_text(datetime(2026, 11, 23, 18, 36, tzinfo=UTC)) == "2026-11-23T18:36:00.000000Z"
    in_lima = datetime(2026, 11, 23, 20, 36, 0, 123456, tzinfo=timezone(timedelta(hours=-5)))
    assert time_text(in_lima) == "2026-11-24T01:36:00.123456Z"


def test_a_contact() -> None:
    contact, _ = services.create_contact(
        source="shop",
        data=contact_input(
            phone={"country": "US", "number": "555 0100"}, tags=["vip"], billing_address={"city": "Springfield"}
        ),
    )
    shown = ContactOut.model_validate(contact).model_dump()
    assert list(shown) == CONTACT
    assert shown == {
        "id": contact.id,
        "first_name": "Ada",
        "last_name": "Byron",
        "email": "ada@example.com",
        "phone": {"country": "US", "number": "555 0100"},
        "status": "lead",
        "source": "shop",
        "tags": ["vip"],
        "billing_address": {**dict.fromkeys(ADDRESS, ""), "city": "Springfield"},
        "shipping_address": None,
        "created_at": time_text(contact.created_at),
    }
    assert list(shown["billing_address"]) == ADDRESS


def test_an_order_of_a_funnel(lead: Contact, mug: Product, course: Product, funnel: Funnel) -> None:
    order = place(
        lead,
        item("mug", 2),
        source="funnel",
        shipping=Decimal("4.9"),
        tax=Decimal("1"),
        shipping_address=AddressInput(city="Springfield"),
    )
    pay(order, "30.90")
    pay(order, "49", "r2", is_upsell=True, items=[item("course")])
    refund(order, "5", transaction=order.transactions.get(reference="r2").id)
    order = services.reach_thank_you(number=order.number)

    shown = OrderOut.model_validate(order).model_dump()
    assert list(shown) == ORDER
    assert [list(line) for line in shown["items"]] == [ITEM, ITEM]
    assert order.completed_at is not None
    assert shown == {
        "number": str(order.pk + 1000),
        "source": "funnel",
        "origin": "funnel",
        "status": "completed",
        "currency": "USD",
        "subtotal": "74.00",
        "shipping": "4.90",
        "tax": "1.00",
        "total": "79.90",
        "paid_total": "79.90",
        "refunded_total": "5.00",
        "funnel": {"id": str(funnel.pk), "name": "Spring launch", "slug": "spring"},
        "contact": ContactOut.model_validate(Contact.objects.get()).model_dump(),
        "items": [
            {
                "sku": "mug",
                "title": "Mug",
                "kind": "physical",
                "quantity": 2,
                "unit_price": "12.50",
                "total": "25.00",
                "is_upsell": False,
                "paid": True,
            },
            {
                "sku": "course",
                "title": "Course",
                "kind": "digital",
                "quantity": 1,
                "unit_price": "49.00",
                "total": "49.00",
                "is_upsell": True,
                "paid": True,
            },
        ],
        "subscriptions": [],
        "shipping_address": {**dict.fromkeys(ADDRESS, ""), "city": "Springfield"},
        "tracking": None,
        "created_at": time_text(order.created_at),
        "completed_at": time_text(order.completed_at),
    }
    assert shown["contact"]["status"] == "customer"


def test_what_does_not_apply_is_null(lead: Contact, mug: Product) -> None:
    shown = OrderOut.model_validate(place(lead, item("mug"), source="admin")).model_dump()
    assert list(shown) == ORDER
    assert [name for name, value in shown.items() if value is None] == [
        "funnel",
        "shipping_address",
        "tracking",
        "completed_at",
    ]


def test_an_approved_and_a_declined_purchase(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    declined = decline(order, "12.5", decline_code="do_not_honor", decline_message="Ask your bank.", is_upsell=True)
    shown = TransactionOut.model_validate(declined).model_dump()
    assert list(shown) == TRANSACTION
    assert shown == {
        "id": declined.id,
        "kind": "purchase",
        "status": "declined",
        "amount": "12.50",
        "currency": "USD",
        "gateway": "stripe",
        "reference": "d1",
        "is_upsell": True,
        "decline_code": "do_not_honor",
        "decline_message": "Ask your bank.",
        "created_at": time_text(declined.created_at),
    }
    approved = TransactionOut.model_validate(pay(order))
    assert (approved.status, approved.decline_code, approved.decline_message) == ("approved", None, None)


def test_a_refund(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    pay(order)
    given = refund(order, "2", reason="Scratched")
    shown = RefundOut.model_validate(given).model_dump()
    assert list(shown) == REFUND
    assert shown == {
        "id": given.id,
        "kind": "refund",
        "amount": "2.00",
        "currency": "USD",
        "reason": "Scratched",
        "created_at": time_text(given.created_at),
    }


def test_a_product(course: Product) -> None:
    assert ProductOut.model_validate(course).model_dump() == {"sku": "course", "title": "Course", "kind": "digital"}


def test_an_order_at_hand_is_represented_without_a_query(lead: Contact, mug: Product, funnel: Funnel) -> None:
    order = place(lead, *[item("mug")] * 20, source="funnel")
    with CaptureQueriesContext(connection) as reading:
        order = services.get_order(number=order.number)
    assert len(reading) == 3
    with CaptureQueriesContext(connection) as representing:
        assert len(OrderOut.model_validate(order).items) == 20
    assert len(representing) == 0


def test_the_schemas_describe_what_is_shown(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    purchase = pay(order)
    given = refund(order, "1")
    for shown in (
        ContactOut.model_validate(lead),
        OrderOut.model_validate(services.get_order(number=order.number)),
        TransactionOut.model_validate(purchase),
        RefundOut.model_validate(given),
    ):
        schema = type(shown).model_json_schema(mode="serialization")
        jsonschema.Draft202012Validator(schema).validate(json.loads(shown.model_dump_json()))
        assert sorted(schema["required"]) == sorted(schema["properties"])
    for model in (ContactOut, OrderOut, TransactionOut, RefundOut, ProductOut):
        assert model.__doc__
    properties = OrderOut.model_json_schema()["properties"]
    assert properties["total"]["type"] == "string"
    assert properties["created_at"]["format"] == "date-time"
