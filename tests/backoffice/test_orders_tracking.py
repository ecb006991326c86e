"""Staff say where the parcel of an order is."""

import pytest
from django.urls import reverse

from orders.representations import OrderOut
from tests.backoffice.reading import buttons_of, messages_of, text_of
from tests.orders.shop import item, place, stored, track

pytestmark = pytest.mark.django_db
UPDATED = "shipping.tracking_updated"
FILLED = {
    "tracking-carrier": " UPS ",
    "tracking-number": "1Z999",
    "tracking-url": "https://ups.example.com/?n=1Z999",
}


@pytest.fixture
def order(lead, mug):
    return place(lead, item("mug"))


def url(order, action):
    return reverse(f"admin:orders_order_{action}", args=[order.pk])


def test_tracking_is_set_and_shown(admin_client, announced, order):
    response = admin_client.post(url(order, "set_tracking"), FILLED)
    assert messages_of(response) == [f"Tracking of Order {order.number} was set to UPS 1Z999."]
    assert announced.names == [UPDATED]
    tracking = OrderOut.model_validate(stored(order)).tracking
    assert (tracking.carrier, tracking.number, tracking.url) == ("UPS", "1Z999", "https://ups.example.com/?n=1Z999")
    page = admin_client.get(response["Location"])
    assert "Tracking UPS 1Z999" in text_of(page)
    assert 'href="https://ups.example.com/?n=1Z999"' in page.content.decode()
    form = admin_client.get(url(order, "set_tracking")).context["form"]
    assert form["number"].value() == "1Z999"
    assert "Clear tracking" in buttons_of(page)
    history = text_of(admin_client.get(reverse("admin:orders_order_history", args=[order.pk])))
    assert f"Tracking of Order {order.number} was set to UPS 1Z999." in history


def test_the_same_again_says_so(admin_client, announced, order):
    admin_client.post(url(order, "set_tracking"), FILLED)
    response = admin_client.post(url(order, "set_tracking"), FILLED)
    assert messages_of(response)[-1] == "The tracking was like this already. Nothing was changed."
    assert announced.names == [UPDATED]


def test_tracking_is_cleared_where_there_is_some(admin_client, announced, order):
    assert "Clear tracking" not in buttons_of(admin_client.get(url(order, "change")))
    track(order)
    announced.take()
    response = admin_client.post(url(order, "clear_tracking"))
    assert messages_of(response) == [f"Tracking of Order {order.number} was cleared."]
    assert (stored(order).tracking, announced.names) == (None, [UPDATED])
    response = admin_client.post(url(order, "clear_tracking"))
    assert messages_of(response)[-1] == "The tracking was like this already. Nothing was changed."
    assert announced.names == [UPDATED]


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"tracking-carrier": " "}, "carrier", "This field is required."),
        ({"tracking-number": "x" * 101}, "number", "Give at most 100 characters."),
        ({"tracking-url": "javascript:alert(1)"}, "url", "Give an address that begins with http:// or https://."),
    ],
)
def test_tracking_that_cannot_be_is_refused_on_its_field(values, field, sentence, admin_client, announced, order):
    response = admin_client.post(url(order, "set_tracking"), {**FILLED, **values})
    assert response.status_code == 200
    assert response.context["form"].errors == {field: [sentence]}
    assert "Nothing was saved. Correct what is marked below." in text_of(response)
    for typed in {**FILLED, **values}.values():
        assert f'value="{typed}"' in response.content.decode()
    assert (stored(order).tracking, announced.names) == (None, [])


@pytest.mark.parametrize("action", ["set_tracking", "clear_tracking"])
def test_it_needs_permission_and_a_post(action, admin_client, announced, sign_in, order):
    track(order, "DHL")
    announced.take()
    for client in (sign_in("orders.view_order"), sign_in("orders.change_subscription")):
        assert client.post(url(order, action), FILLED).status_code == 403
    assert admin_client.get(url(order, "clear_tracking")).status_code == 405
    assert admin_client.get(url(order, "set_tracking")).status_code == 200
    assert (stored(order).tracking["carrier"], announced.names) == ("DHL", [])
    assert sign_in("orders.view_order", "orders.change_order").post(url(order, action), FILLED).status_code == 302
    assert announced.names == [UPDATED]
