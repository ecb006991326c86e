"""Staff make a quote and sell it."""

import pytest
from django.urls import reverse

from orders import services
from orders.models import Order, Quote
from tests.backoffice.reading import buttons_of, follow, messages_of, text_of
from tests.backoffice.test_orders_adding import filled
from tests.orders.shop import counts, item

pytestmark = pytest.mark.django_db
ADD = "/admin/orders/quote/add/"


@pytest.fixture
def quote(lead, mug):
    return services.create_quote(contact=lead.pk, items=[item("mug", 2)])


def url(quote, page):
    return reverse(f"admin:orders_quote_{page}", args=[quote.pk])


def test_a_quote_is_made_and_shown(admin_client, announced, lead, mug, course):
    response = admin_client.post(ADD, filled(lead, (mug, "2", ""), (course, "1", "40"), shipping="5", tax=""))
    quote = Quote.objects.get()
    assert (quote.contact, quote.status, str(quote.total)) == (lead, "open", "70.00")
    assert messages_of(response) == [f"Quote {quote.pk} of 70.00 USD was made. Sell it once the contact agrees."]
    page = follow(admin_client, response)
    for part in (
        "mug Mug 2 12.50 USD 25.00 USD",
        "course Course 1 40.00 USD 40.00 USD",
        "Total 70.00 USD",
        "Status Open",
    ):
        assert part in text_of(page)
    assert buttons_of(page) == ["Sell"]
    assert announced.names == []


def test_a_quote_that_cannot_be_is_refused_beside_its_item(admin_client, lead, mug, poster):
    response = admin_client.post(ADD, filled(lead, (mug, "1", ""), (poster, "2", "")))
    assert response.context["items"].errors[1] == {
        "unit_price": ["Give the price in USD: the product is priced in EUR."]
    }
    assert counts()["Quote"] == 0


def test_a_quote_is_sold_once(admin_client, announced, quote):
    response = admin_client.post(url(quote, "sell"))
    order = Order.objects.get()
    assert (order.source, order.origin, order.status) == ("admin", "quote", "open")
    assert messages_of(response) == [f"Quote {quote.pk} was sold: it became Order {order.number} of 25.00 USD."]
    assert response["Location"] == reverse("admin:orders_order_change", args=[order.pk])
    again = admin_client.post(url(quote, "sell"))
    assert messages_of(again)[-1] == f"The quote is sold: it became order {order.number}."
    assert Order.objects.count() == 1
    page = admin_client.get(url(quote, "change"))
    assert f"Became Order {order.number}" in text_of(page)
    assert buttons_of(page) == []
    assert announced.names == []


def test_selling_needs_its_permissions_and_a_post(admin_client, sign_in, quote):
    viewer = sign_in("orders.view_quote", "orders.change_quote")
    assert "You may look at this quote, but not sell it." in text_of(viewer.get(url(quote, "change")))
    for client in (viewer, sign_in("orders.add_order"), sign_in("orders.view_quote", "orders.add_order")):
        assert client.post(url(quote, "sell")).status_code == 403
    assert admin_client.get(url(quote, "sell")).status_code == 405
    assert admin_client.post("/admin/orders/quote/999/sell/").status_code == 404
    assert Order.objects.count() == 0


def test_who_may_not_see_orders_stays_on_the_quote(sign_in, quote):
    client = sign_in("orders.view_quote", "orders.change_quote", "orders.add_order")
    assert client.post(url(quote, "sell"))["Location"] == url(quote, "change")
    assert Order.objects.count() == 1


def test_making_a_quote_needs_its_permission(sign_in, lead, mug):
    client = sign_in("orders.view_quote", "orders.add_order")
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, filled(lead, (mug, "1", ""))).status_code == 403
    assert counts()["Quote"] == 0
