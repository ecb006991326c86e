"""The storefront's calls as a shop makes them: over HTTP, with a key."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from api.keys import create_key
from orders.models import Contact, Funnel, Order, Product
from orders.representations import OrderOut
from tests.orders.shop import NOTHING, Announcements, counts, item, pay, place, stored

pytestmark = pytest.mark.django_db

ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Byron"}
PURCHASE = {"status": "approved", "amount": "12.50", "gateway": "stripe", "reference": "r1"}


@dataclass
class Shop:
    """A storefront with its key. `post` takes the body as a JSON value, or as bytes that are sent as they are."""

    key: str
    client: Client = field(default_factory=Client)

    def get(self, path: str) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", headers=self._headers)  # type: ignore[return-value]

    def post(self, path: str, body: Any = None) -> HttpResponse:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.post(  # type: ignore[return-value]
            f"/api/v1{path}", content, content_type="application/json", headers=self._headers
        )

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop(create_key(name="Shop", scopes=["storefront"])[1])


def refused(answer: HttpResponse, status: int = 422) -> list[str]:
    """The fields that a refusal names."""
    problem = json.loads(answer.content)
    assert (answer.status_code, problem["status"], answer["Content-Type"]) == (
        status,
        status,
        "application/problem+json",
    ), problem
    return [error["field"] for error in problem.get("errors", [])]


def answered(answer: HttpResponse, status: int) -> Any:
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def test_the_calls_need_the_storefront_scope(shop: Shop) -> None:
    shop.key = create_key(name="Administrator", scopes=["manage"])[1]
    paths = ["/contacts", "/orders", "/orders/1001/transactions", "/orders/1001/thank-you", "/orders/1001/refunds"]
    for path in paths:
        refused(shop.post(path, {}), 403)
    refused(shop.get("/orders/1001"), 403)


def test_a_contact_is_created_then_reactivated(shop: Shop, announced: Announcements) -> None:
    created = answered(shop.post("/contacts", {**ADA, "source": "shop", "tags": [" vip "]}), 201)
    contact = Contact.objects.get()
    assert list(created) == [
        *("id", "first_name", "last_name", "email", "phone", "status", "source", "tags", "billing_address"),
        *("shipping_address", "created_at", "reactivated"),
    ]
    assert (created["id"], created["email"], created["tags"]) == (contact.id, "ada@example.com", ["vip"])
    assert (created["status"], created["source"], created["reactivated"]) == ("lead", "shop", False)

    again = answered(shop.post("/contacts", {**ADA, "source": "shop", "email": "ADA@example.com"}), 200)
    assert again == {**created, "reactivated": True}
    assert announced.names == ["contact.created", "contact.created"]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"source": "admin"}, ["source"]),
        ({"source": None}, ["source"]),
        ({"source": "funnel"}, ["funnel"]),
        ({"source": "funnel", "funnel": "autumn"}, ["funnel"]),
        ({"source": "shop", "funnel": "spring"}, ["funnel"]),
        ({"source": "funnel", "funnel": ""}, ["funnel"]),
        ({"email": "ada"}, ["email"]),
        ({"email": "ada@example.com\x00"}, ["email"]),
        ({"first_name": "A\nB", "last_name": None}, ["first_name", "last_name"]),
        ({"phone": {"country": "XX", "number": "1"}}, ["phone.country"]),
        ({"phone": "555"}, ["phone"]),
        ({"billing_address": {"country": "USA", "zip": "1"}}, ["billing_address.country", "billing_address.zip"]),
        ({"tags": ["a", ""]}, ["tags[1]"]),
        ({"status": "customer"}, ["status"]),
        ({"id": "con_1"}, ["id"]),
    ],
)
def test_a_contact_that_cannot_be_taken_is_refused(
    members: dict[str, Any], fields: list[str], shop: Shop, funnel: Funnel, announced: Announcements
) -> None:
    assert refused(shop.post("/contacts", {**ADA, "source": "shop", **members})) == fields
    assert Contact.objects.count() == 0
    assert announced.names == []


def test_required_members_are_named(shop: Shop) -> None:
    assert refused(shop.post("/contacts", {})) == ["email", "source"]
    assert refused(shop.post("/orders", {})) == ["source", "contact", "items"]


def test_an_order_with_a_contact_sent_along(shop: Shop, mug: Product, funnel: Funnel, announced: Announcements) -> None:
    body = {
        "source": "funnel",
        "funnel": "spring",
        "contact": {**ADA, "source": "funnel", "funnel": "spring", "tags": ["new"]},
        "items": [{"sku": "mug", "quantity": 2}, {"sku": "mug", "quantity": 1, "unit_price": 10.5}],
        "currency": "USD",
        "shipping": "4.90",
        "tax": 1,
        "shipping_address": {"city": "Springfield"},
    }
    order = answered(shop.post("/orders", body), 201)
    assert order == OrderOut.model_validate(stored(Order.objects.get())).model_dump()
    assert (order["status"], order["subtotal"], order["total"]) == ("open", "35.50", "41.40")
    assert (order["source"], order["funnel"]["slug"]) == ("funnel", "spring")
    assert (order["contact"]["email"], order["contact"]["tags"]) == ("ada@example.com", ["new"])
    assert announced.names == ["contact.created"]
    assert answered(shop.get(f"/orders/{order['number']}"), 200) == order


def test_an_order_of_a_known_contact(shop: Shop, lead: Contact, mug: Product, announced: Announcements) -> None:
    body = {"source": "shop", "contact": {"id": lead.id}, "items": [{"sku": "mug", "quantity": 1}]}
    assert answered(shop.post("/orders", body), 201)["contact"]["id"] == lead.id
    assert announced.names == []


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"source": "admin"}, ["source"]),
        ({"source": "funnel"}, ["funnel"]),
        ({"funnel": "spring"}, ["funnel"]),
        ({"contact": {}}, ["contact.email"]),
        ({"contact": {**ADA, "email": "ada"}}, ["contact.email"]),
        ({"contact": {**ADA, "phone": {"number": "1", "country": "x"}}}, ["contact.phone.country"]),
        ({"contact": {**ADA, "vip": True}}, ["contact.vip"]),
        ({"contact": {**ADA, "source": "funnel"}}, ["contact.source"]),
        ({"contact": {**ADA, "source": "admin"}}, ["contact.source"]),
        ({"contact": {**ADA, "funnel": "spring"}}, ["contact.funnel"]),
        ({"contact": {"id": "con_1"}}, ["contact.id"]),
        ({"contact": {"id": None}}, ["contact.id"]),
        ({"contact": {"id": 7}}, ["contact.id"]),
        ({"contact": {"id": "con_1", "email": "ada@example.com"}}, ["contact.email"]),
        ({"contact": "con_1"}, ["contact"]),
        ({"contact": None}, ["contact"]),
        ({"items": []}, ["items"]),
        ({"items": [{"sku": "mug", "quantity": 1}] * 101}, ["items"]),
        ({"items": [{"sku": "mug", "quantity": 1}, {"sku": "cup", "quantity": 1}]}, ["items[1].sku"]),
        ({"items": [{"sku": "mug", "quantity": 0}]}, ["items[0].quantity"]),
        ({"items": [{"sku": "mug", "quantity": "1"}]}, ["items[0].quantity"]),
        ({"items": [{"sku": "mug", "quantity": 1, "unit_price": -1}]}, ["items[0].unit_price"]),
        ({"items": [{"sku": "mug", "quantity": 1, "title": "Cup"}]}, ["items[0].title"]),
        ({"currency": "EUR"}, ["items[0].unit_price"]),
        ({"currency": "XYZ"}, ["currency"]),
        ({"shipping": 1e30, "tax": True}, ["shipping", "tax"]),
        ({"shipping": "1.23456", "tax": None}, ["shipping", "tax"]),
        ({"shipping": "1.234", "tax": 0.125}, ["shipping", "tax"]),
        ({"shipping_address": {"country": "us"}}, ["shipping_address.country"]),
        ({"status": "completed"}, ["status"]),
    ],
)
def test_an_order_that_cannot_be_opened_leaves_nothing(
    members: dict[str, Any], fields: list[str], shop: Shop, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    body = {"source": "shop", "contact": ADA, "items": [{"sku": "mug", "quantity": 1}], **members}
    assert refused(shop.post("/orders", body)) == fields
    assert counts() == NOTHING
    assert announced.names == []


@pytest.mark.parametrize(
    ("literal", "status"), [("12.50", 201), ("12.5", 201), ("12", 201), ("1.250e1", 422), ("12.501", 422), ("1e2", 422)]
)
def test_money_is_read_as_it_is_written(literal: str, status: int, shop: Shop, lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    body = json.dumps({**PURCHASE, "amount": 0}).replace('"amount": 0', f'"amount": {literal}').encode()
    answer = shop.post(f"/orders/{order.number}/transactions", body)
    assert answer.status_code == status
    assert stored(order).paid_total == (Decimal(literal) if status == 201 else 0)


def test_a_purchase_is_reported_once(
    shop: Shop, lead: Contact, mug: Product, course: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    path = f"/orders/{order.number}/transactions"
    declined = answered(
        shop.post(path, {**PURCHASE, "status": "declined", "reference": "d1", "decline_code": "51"}), 201
    )
    assert (declined["status"], declined["decline_code"], declined["decline_message"]) == ("declined", "51", None)
    body = {**PURCHASE, "amount": "61.5", "is_upsell": True, "items": [{"sku": "course", "quantity": 1}]}
    first = answered(shop.post(path, body), 201)
    assert (first["amount"], first["is_upsell"], first["kind"]) == ("61.50", True, "purchase")
    assert answered(shop.post(path, body), 200) == first
    refused(shop.post(path, {**body, "amount": "61.51"}), 409)
    shown = answered(shop.get(f"/orders/{order.number}"), 200)
    assert (shown["status"], shown["total"], shown["paid_total"]) == ("completed", "61.50", "61.50")
    assert announced.names == ["transaction.declined", "transaction.approved", "customer.created", "order.completed"]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"status": "pending"}, ["status"]),
        ({"amount": None}, ["amount"]),
        ({"amount": "-1"}, ["amount"]),
        ({"gateway": " "}, ["gateway"]),
        ({"gateway": "g" * 51}, ["gateway"]),
        ({"reference": "r" * 201}, ["reference"]),
        ({"decline_code": "51"}, ["decline_code"]),
        ({"decline_message": "m" * 501}, ["decline_message"]),
        ({"is_upsell": "yes"}, ["is_upsell"]),
        ({"items": None}, ["items"]),
        ({"items": [{"sku": "cup", "quantity": 1}]}, ["items[0].sku"]),
        ({"kind": "purchase"}, ["kind"]),
    ],
)
def test_a_purchase_that_cannot_be_taken_leaves_nothing(
    members: dict[str, Any],
    fields: list[str],
    shop: Shop,
    lead: Contact,
    mug: Product,
    announced: Announcements,
) -> None:
    order = place(lead, item("mug"))
    assert refused(shop.post(f"/orders/{order.number}/transactions", {**PURCHASE, **members})) == fields
    assert counts()["Transaction"] == 0
    assert stored(order).status == "open"
    assert announced.names == []


def test_the_thank_you_page(shop: Shop, lead: Contact, mug: Product, funnel: Funnel, announced: Announcements) -> None:
    order = place(lead, item("mug"), source="funnel")
    refused(shop.post(f"/orders/{order.number}/thank-you"), 409)
    pay(order)
    announced.take()
    first = answered(shop.post(f"/orders/{order.number}/thank-you"), 200)
    assert first["status"] == "completed"
    assert answered(shop.post(f"/orders/{order.number}/thank-you", {}), 200) == first
    assert announced.names == ["order.completed"]
    refused(shop.post(f"/orders/{place(lead, item('mug')).number}/thank-you"), 409)


def test_refunds(shop: Shop, lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug"))
    purchase = pay(order)
    announced.take()
    path = f"/orders/{order.number}/refunds"
    part = answered(shop.post(path, {"kind": "refund", "amount": 2.5, "reason": " Scratched "}), 201)
    assert (part["kind"], part["amount"], part["reason"]) == ("refund", "2.50", "Scratched")
    for body, fields in (
        ({"kind": "refund"}, ["amount"]),
        ({"kind": "refund", "amount": "0"}, ["amount"]),
        ({"kind": "refund", "amount": "10.01"}, ["amount"]),
        ({"kind": "void"}, ["kind"]),
        ({"kind": "chargeback"}, ["kind"]),
        ({"kind": "refund", "amount": "1", "transaction": "txn_1"}, ["transaction"]),
        ({"kind": "refund", "amount": "1", "transaction": 7}, ["transaction"]),
        ({"kind": "refund", "amount": "1", "reason": None}, ["reason"]),
        ({"kind": "refund", "amount": "1", "note": "x"}, ["note"]),
    ):
        assert refused(shop.post(path, body)) == fields
    assert counts()["Refund"] == 1
    answered(shop.post(path, {"kind": "refund", "amount": "10", "transaction": purchase.id}), 201)
    assert stored(order).status == "refunded"
    refused(shop.post(f"/orders/{order.number}/transactions", {**PURCHASE, "reference": "r2"}), 409)
    assert announced.names == ["refund.applied", "refund.applied"]


@pytest.mark.parametrize("number", ["1000000", "abc", "%00", "1001%00", "-1", "%F0%9F%8D%B5", "9" * 50])
def test_what_names_no_order_is_not_found(number: str, shop: Shop) -> None:
    refused(shop.get(f"/orders/{number}"), 404)
    refused(shop.post(f"/orders/{number}/thank-you"), 404)
    refused(shop.post(f"/orders/{number}/transactions", PURCHASE), 404)
    refused(shop.post(f"/orders/{number}/refunds", {"kind": "void"}), 404)


def test_a_body_is_required_where_there_is_one(shop: Shop, lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    for path in ("/contacts", "/orders", f"/orders/{order.number}/transactions", f"/orders/{order.number}/refunds"):
        assert refused(shop.post(path)) == [""]
        assert refused(shop.post(path, [])) == [""]
        refused(shop.post(path, b"{"), 400)


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), ({"a": 1}, 422), ([], 422)])
def test_a_thank_you_takes_no_members(shop: Shop, funnel: Funnel, mug: Product, lead: Contact, body: Any, status: int):
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    refused(shop.post(f"/orders/{order.number}/thank-you", body), status)
    assert stored(order).status == "paid"
