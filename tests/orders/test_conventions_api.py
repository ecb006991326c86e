"""Over HTTP: amounts by currency, text that nobody sees, spellings of addresses, and what may be left out."""

from typing import Any

import pytest

from api.keys import create_key
from orders.models import Contact, OrderItem
from tests.calling import Caller
from tests.orders.shop import NOTHING, counts
from tests.orders.test_api import answered, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Caller:
    return Caller(create_key(name="Shop", scopes=["storefront"])[1])


def test_an_order_in_yen(shop: Caller, mug: Any) -> None:
    contact = {"email": "ada@example.com"}
    items = [{"sku": "mug", "quantity": 2, "unit_price": 750}]
    body = {"source": "shop", "contact": contact, "items": items, "currency": "JPY"}
    order = answered(shop("POST", "/orders", {**body, "shipping": "300"}), 201)
    assert (order["subtotal"], order["shipping"], order["tax"], order["total"]) == ("1500", "300", "0", "1800")
    path = f"/orders/{order['number']}/transactions"
    purchase = {"status": "approved", "gateway": "stripe", "reference": "a"}
    assert refused(shop("POST", path, {**purchase, "amount": "1800.50"})) == ["amount"]
    assert refused(shop("POST", path, {**purchase, "amount": "1800.00"})) == ["amount"]
    # A number of JSON that is whole, as Python writes floats.
    assert answered(shop("POST", path, {**purchase, "amount": 1800.0}), 201)["amount"] == "1800"
    assert answered(shop("POST", path, {**purchase, "amount": "1800"}), 200)["amount"] == "1800"
    for wrong in ({"shipping": "0.5"}, {"tax": 1.25}, {"items": [{"sku": "mug", "quantity": 1, "unit_price": "1.0"}]}):
        [field] = refused(shop("POST", "/orders", {**body, **wrong}))
        assert field in {"shipping", "tax", "items[0].unit_price"}
    [listed] = answered(shop("GET", "/products"), 200)["results"]
    assert listed["unit_price"] == "12.50"


def test_a_product_in_dinars_is_listed_with_three_decimals(shop: Caller, mug: Any) -> None:
    type(mug).objects.update(currency="KWD", unit_price="1.125")
    [listed] = answered(shop("GET", "/products"), 200)["results"]
    assert (listed["unit_price"], listed["currency"]) == ("1.125", "KWD")


def test_a_reference_that_is_taken_says_by_what(shop: Caller, mug: Any) -> None:
    body = {"source": "shop", "contact": {"email": "ada@example.com"}, "items": [{"sku": "mug", "quantity": 1}]}
    first, second = (answered(shop("POST", "/orders", body), 201)["number"] for _ in range(2))
    purchase = {"status": "declined", "amount": "12.5", "gateway": "stripe", "reference": "cart-7"}
    answered(shop("POST", f"/orders/{first}/transactions", purchase), 201)
    for number, again in ((second, purchase), (first, {**purchase, "status": "approved"})):
        problem = answered(shop("POST", f"/orders/{number}/transactions", again), 409)
        assert problem["detail"] == (
            f"This gateway and reference stand for a purchase of 12.50 USD that was declined on order {first}. "
            "Each attempt needs a reference of its own."
        )


def test_names_text_countries_and_whole_numbers(shop: Caller, mug: Any) -> None:
    buyer = {
        "email": "ada@b\u00fccher.example",
        "first_name": "Ada\u2028Mary",
        "last_name": "\u200bBy\u00adron\ufeff",
        "billing_address": {"city": "Prishtin\u00eb", "country": "XK"},
    }
    body = {"source": "shop", "contact": buyer, "items": [{"sku": "mug", "quantity": 2.0}]}
    order = answered(shop("POST", "/orders", body), 201)
    contact = order["contact"]
    assert (contact["first_name"], contact["last_name"]) == ("Ada Mary", "Byron")
    assert contact["billing_address"]["country"] == "XK"
    assert OrderItem.objects.get().quantity == 2
    again = {"source": "shop", "email": "ADA@xn--bcher-kva.example", "first_name": "", "tags": ["v\u200bip"]}
    known = answered(shop("POST", "/contacts", again), 200)
    assert (known["id"], known["first_name"], known["tags"]) == (contact["id"], "Ada Mary", ["vip"])
    assert refused(shop("POST", "/orders", {**body, "items": [{"sku": "mug", "quantity": 1.5}]})) == [
        "items[0].quantity"
    ]


def test_tags_beyond_what_a_contact_may_have(shop: Caller, mug: Any) -> None:
    contact = {"source": "shop", "email": "ada@example.com"}
    assert refused(shop("POST", "/contacts", {**contact, "tags": [str(number) for number in range(51)]})) == ["tags"]
    assert counts() == NOTHING
    Contact.objects.create(email="ada@example.com", source="shop", tags=[str(number) for number in range(500)])
    assert refused(shop("POST", "/contacts", {**contact, "tags": ["one more"]})) == ["tags"]
    body = {"source": "shop", "contact": {"email": "ada@example.com", "tags": ["one more"]}}
    assert refused(shop("POST", "/orders", {**body, "items": [{"sku": "mug", "quantity": 1}]})) == ["contact.tags"]
    answered(shop("POST", "/contacts", {**contact, "tags": ["499"]}), 200)


def test_the_texts_of_channels_are_cleaned_too(db: None) -> None:
    manage = Caller(create_key(name="Script", scopes=["manage"])[1])
    channel = {"name": "\u202eWare\u200bhouse\u2029north", "kind": "postback", "url": "https://example.com/hook"}
    assert answered(manage("POST", "/channels", channel), 201)["name"] == "Warehouse north"
