"""Staff open an order."""

import pytest

from orders.models import Order
from tests.backoffice.reading import messages_of, text_of
from tests.orders.shop import NO_AMOUNT, counts, stored

pytestmark = pytest.mark.django_db

ADD = "/admin/orders/order/add/"


def filled(contact, *rows, **members):
    """The form as it is sent: five rows, the given ones filled in as (product, quantity, unit price)."""
    values = {"contact": contact.pk, "currency": "USD", "shipping": "0.00", "tax": "0.00", **members}
    values |= {"items-TOTAL_FORMS": "5", "items-INITIAL_FORMS": "0"}
    for row in range(5):
        product, quantity, price = rows[row] if row < len(rows) and rows[row] else (None, "1", "")
        values[f"items-{row}-product"] = product.pk if product else ""
        values[f"items-{row}-quantity"] = quantity
        values[f"items-{row}-unit_price"] = price
    return values


def test_an_order_of_the_admin_is_opened_and_announces_nothing(admin_client, announced, lead, mug, course):
    rows = [(mug, "2", ""), None, (course, "1", "40")]
    response = admin_client.post(ADD, filled(lead, *rows, shipping="5", tax="1.50"))
    order = stored(Order.objects.get())
    assert (order.source, order.origin, order.status, order.contact, order.funnel) == (
        *("admin", "admin", "open", lead, None),
    )
    assert [(line.sku, line.quantity, str(line.unit_price)) for line in order.items.all()] == [
        ("mug", 2, "12.50"),
        ("course", 1, "40.00"),
    ]
    assert (str(order.total), order.currency) == ("71.50", "USD")
    assert messages_of(response) == [f"Order {order.number} of 71.50 USD was opened. Record a payment once it is paid."]
    assert response["Location"] == f"/admin/orders/order/{order.pk}/change/"
    assert announced.names == []


def test_shipping_and_tax_may_be_left_empty_and_a_currency_in_small_letters(admin_client, lead, mug):
    admin_client.post(ADD, filled(lead, (mug, "1", "3"), shipping="", tax="", currency="eur"))
    order = Order.objects.get()
    assert (str(order.total), order.currency) == ("3.00", "EUR")


def test_the_contact_is_chosen_already_where_the_page_is_opened_from_it(admin_client, lead):
    page = admin_client.get(f"{ADD}?contact={lead.pk}").content.decode()
    assert f'<option value="{lead.pk}" selected' in page


def test_every_mistake_is_marked_at_once_and_nothing_is_lost(admin_client, announced, lead, mug):
    values = filled(lead, (mug, "0", "1.23456"), (None, "7", ""), currency="XXXX", shipping="much")
    response = admin_client.post(ADD, values)
    assert response.context["form"].errors == {
        "currency": ["Give at most 3 characters."],
        "shipping": [NO_AMOUNT],
    }
    assert response.context["items"].errors[:2] == [
        {
            "quantity": ["Ensure this value is greater than or equal to 1."],
            "unit_price": [NO_AMOUNT],
        },
        {"product": ["This field is required."]},
    ]
    page = response.content.decode()
    for typed in (lead.pk, "1.23456", "XXXX", "much", 'value="7"', f'<option value="{mug.pk}" selected'):
        assert typed in page
    assert (Order.objects.count(), announced.names) == (0, [])


def test_an_order_has_at_least_one_item(admin_client, lead):
    response = admin_client.post(ADD, filled(lead))
    assert "Give at least one item." in text_of(response)
    assert Order.objects.count() == 0


def test_a_refusal_of_the_rules_stands_beside_the_item_that_it_concerns(admin_client, lead, mug, poster):
    before = counts()
    response = admin_client.post(ADD, filled(lead, None, (mug, "1", ""), (poster, "2", "")))
    assert response.context["items"].errors == [
        *({}, {}, {"unit_price": ["Give the price in USD: the product is priced in EUR."]}, {}, {}),
    ]
    assert counts() == before


def test_a_contact_that_does_not_exist_is_refused_on_its_field(admin_client, lead, mug):
    response = admin_client.post(ADD, {**filled(lead, (mug, "1", "")), "contact": "con_unknown"})
    assert list(response.context["form"].errors) == ["contact"]
    assert Order.objects.count() == 0


def test_opening_an_order_needs_its_permission(sign_in, lead, mug):
    viewer = sign_in("orders.view_order", "orders.change_order")
    assert viewer.get(ADD).status_code == 403
    assert viewer.post(ADD, filled(lead, (mug, "1", ""))).status_code == 403
    assert Order.objects.count() == 0
    assert sign_in("orders.add_order").post(ADD, filled(lead, (mug, "1", ""))).status_code == 302
    assert Order.objects.count() == 1
