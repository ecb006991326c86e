"""Quotes: made by staff, sold once."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from orders import services
from orders.errors import Conflict
from orders.models import Contact, Order, Product, Quote, Subscription
from orders.representations import OrderOut
from tests.orders.shop import Announcements, counts, item, pay, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def quote(lead: Contact, mug: Product, course: Product) -> Quote:
    return services.create_quote(
        contact=lead.id,
        items=[item("mug", 2), item("course", 1, "40")],
        shipping=Decimal("5"),
        tax=Decimal("1.50"),
    )


def test_a_quote_keeps_its_prices_and_announces_nothing(quote: Quote, lead: Contact, announced: Announcements) -> None:
    kept = Quote.objects.get()
    assert (kept.contact, kept.status, kept.order, kept.currency) == (lead, "open", None, "USD")
    assert [(line.product.sku, line.quantity, line.unit_price, line.total) for line in kept.items.all()] == [
        ("mug", 2, Decimal("12.50"), Decimal(25)),
        ("course", 1, Decimal(40), Decimal(40)),
    ]
    amounts = (kept.subtotal, kept.shipping, kept.tax, kept.total)
    assert amounts == (Decimal(65), Decimal(5), Decimal("1.50"), Decimal("71.50"))
    assert (counts()["Order"], announced.names) == (0, [])


def test_a_sold_quote_is_an_open_order_of_the_admin_at_the_quoted_prices(
    quote: Quote, lead: Contact, announced: Announcements
) -> None:
    Product.objects.update(unit_price=Decimal("99"))
    order = services.sell_quote(quote_id=quote.pk)
    shown = OrderOut.model_validate(order).model_dump()
    assert shown == OrderOut.model_validate(stored(order)).model_dump()
    assert (shown["source"], shown["origin"], shown["status"], shown["funnel"]) == ("admin", "quote", "open", None)
    assert (shown["contact"]["id"], shown["subtotal"], shown["total"]) == (lead.id, "65.00", "71.50")
    assert [(line["sku"], line["quantity"], line["unit_price"]) for line in shown["items"]] == [
        ("mug", 2, "12.50"),
        ("course", 1, "40.00"),
    ]
    quote.refresh_from_db()
    assert (quote.status, quote.order) == ("sold", order)
    assert announced.names == []


def test_the_order_of_a_quote_closes_at_its_first_approved_purchase(quote: Quote, announced: Announcements) -> None:
    order = services.sell_quote(quote_id=quote.pk)
    pay(order, "71.50")
    assert announced.names == ["transaction.approved", "customer.created", "order.completed"]
    assert stored(order).status == "completed"


def test_a_quote_is_sold_once(quote: Quote) -> None:
    order = services.sell_quote(quote_id=quote.pk)
    with pytest.raises(Conflict) as refusal:
        services.sell_quote(quote_id=quote.pk)
    assert str(refusal.value) == f"The quote is sold: it became order {order.number}."
    assert Order.objects.count() == 1


def test_an_unknown_quote_is_not_found(db: None) -> None:
    with pytest.raises(Quote.DoesNotExist):
        services.sell_quote(quote_id=1)


def test_a_price_in_another_currency_is_given(lead: Contact, mug: Product, poster: Product) -> None:
    quote = services.create_quote(contact=lead.id, items=[item("poster"), item("mug", 1, "11")], currency="EUR")
    order = services.sell_quote(quote_id=quote.pk)
    assert (order.currency, order.total) == ("EUR", Decimal("20.90"))


@pytest.mark.parametrize(
    ("contact", "sku", "field"),
    [("con_unknown", "mug", "contact"), (None, "hat", "items[0].sku"), (None, "poster", "items[0].unit_price")],
)
def test_a_quote_that_cannot_be_is_refused(
    contact: str | None, sku: str, field: str, lead: Contact, mug: Product, poster: Product
) -> None:
    before = counts()
    with pytest.raises(ValidationError) as refusal:
        services.create_quote(contact=contact or lead.id, items=[item(sku)])
    assert list(refusal.value.message_dict) == [field]
    assert counts() == before


def test_a_total_larger_than_can_be_recorded_is_refused(lead: Contact, mug: Product) -> None:
    with pytest.raises(ValidationError) as refusal:
        services.create_quote(contact=lead.id, items=[item("mug", 9999, "9999999999.99")] * 10_003)
    assert list(refusal.value.message_dict) == ["items"]
    assert counts()["Quote"] == 0


def test_a_quote_is_sold_as_it_was_offered(
    lead: Contact, club: Product, mug: Product, announced: Announcements
) -> None:
    quote = services.create_quote(contact=lead.id, items=[item("club"), item("mug")])
    Product.objects.filter(pk=club.pk).update(title="Archive", kind="digital", interval=None)
    Product.objects.filter(pk=mug.pk).update(title="Cup", currency="EUR")
    order = services.sell_quote(quote_id=quote.pk)
    assert [(line.sku, line.title, line.kind, line.interval) for line in order.items.all()] == [
        ("club", "Book club", "subscription", "month"),
        ("mug", "Mug", "physical", None),
    ]
    assert str(quote.items.first()) == "1 × Book club"
    pay(order, "21.50")
    assert [one.item.title for one in Subscription.objects.all()] == ["Book club"]


def test_a_quote_of_the_version_before_is_sold_with_what_the_products_are(lead: Contact, club: Product) -> None:
    quote = services.create_quote(contact=lead.id, items=[item("club")])
    quote.items.update(title="", kind="", interval=None)
    order = services.sell_quote(quote_id=quote.pk)
    assert [(line.title, line.kind, line.interval) for line in order.items.all()] == [
        ("Book club", "subscription", "month")
    ]
