"""Staff look at subscriptions and cancel them."""

import pytest
from django.urls import reverse

from orders.models import Subscription
from tests.backoffice.reading import buttons_of, follow, messages_of, text_of
from tests.orders.shop import item, pay, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(lead, club, announced):
    pay(place(lead, item("club", 2)), "18")
    announced.take()
    return Subscription.objects.get()


def url(subscription, page):
    return reverse(f"admin:orders_subscription_{page}", args=[subscription.pk])


def test_its_page_and_its_orders_page_show_it(admin_client, subscription):
    page = admin_client.get(url(subscription, "change"))
    for part in ("Status Active", "Product Book club club", "Price 18.00 USD a month", "Contact Ada Byron"):
        assert part in text_of(page)
    assert "Cancel subscription" in buttons_of(page)
    order_page = admin_client.get(reverse("admin:orders_order_change", args=[subscription.order_id]))
    assert "Subscriptions Book club Active" in text_of(order_page)
    assert f'href="{url(subscription, "change").replace("_", "_5F")}"' in order_page.content.decode()


def test_it_is_canceled_after_a_question(admin_client, announced, subscription):
    question = admin_client.get(url(subscription, "cancel"))
    assert "Book club of Ada Byron, 18.00 USD a month, ends now. This cannot be undone." in text_of(question)
    assert Subscription.objects.get().status == "active"
    response = admin_client.post(url(subscription, "cancel"), {"reason": " Moved away "})
    subscription.refresh_from_db()
    assert (subscription.status, subscription.cancel_reason) == ("canceled", "Moved away")
    assert announced.names == ["subscription.canceled"]
    assert messages_of(response) == ["Book club of Ada Byron, 18.00 USD a month, was canceled."]
    page = follow(admin_client, response)
    assert "Reason Moved away" in text_of(page)
    assert buttons_of(page) == []
    assert "Book club of Ada Byron, 18.00 USD a month, was canceled." in text_of(
        admin_client.get(url(subscription, "history"))
    )


def test_a_canceled_one_is_not_canceled_again(admin_client, announced, subscription):
    admin_client.post(url(subscription, "cancel"), {"reason": "first"})
    response = admin_client.post(url(subscription, "cancel"), {"reason": "second"})
    assert messages_of(response)[-1] == "The subscription is canceled already. Nothing was changed."
    assert Subscription.objects.get().cancel_reason == "first"
    assert announced.names == ["subscription.canceled"]


def test_a_reason_that_cannot_be_is_refused(admin_client, announced, subscription):
    response = admin_client.post(url(subscription, "cancel"), {"reason": "x" * 501})
    assert response.context["form"].errors == {"reason": ["Give at most 500 characters."]}
    assert (Subscription.objects.get().status, announced.names) == ("active", [])


def test_canceling_needs_its_permission(announced, sign_in, subscription):
    viewer = sign_in("orders.view_subscription")
    assert "You may look at this subscription, but not cancel it." in text_of(viewer.get(url(subscription, "change")))
    for client in (viewer, sign_in("orders.change_order")):
        assert client.get(url(subscription, "cancel")).status_code == 403
        assert client.post(url(subscription, "cancel"), {"reason": ""}).status_code == 403
    assert (Subscription.objects.get().status, announced.names) == ("active", [])
    staff = sign_in("orders.view_subscription", "orders.change_subscription")
    assert staff.post(url(subscription, "cancel"), {"reason": ""}).status_code == 302
    assert announced.names == ["subscription.canceled"]


def test_an_unknown_one_is_not_found(admin_client, db):
    assert admin_client.post("/admin/orders/subscription/sub_x/cancel/", {"reason": ""}).status_code == 404
