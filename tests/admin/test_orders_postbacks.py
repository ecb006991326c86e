"""The postbacks of an order: who was told, how it went, and telling them again."""

import pytest
from django.urls import reverse

from channels_app.services import create_channel, pause_channel
from notifications.models import Delivery
from notifications.services import archive_channel
from tests.admin.reading import buttons_of, follow, messages_of, text_of
from tests.notifications.deliveries import story
from tests.orders.shop import item, pay, place, refund

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"


def page_of(order):
    return reverse("admin:orders_order_change", args=[order.pk])


def retry_url(order, delivery):
    return reverse("admin:orders_order_retry", args=[order.pk, delivery.pk])


def fail(delivery, **fields):
    values = {"status": "failed", "outcome": "http_error", "status_code": 404, "error": "The receiver answered 404."}
    values |= {"attempts_made": 1, "next_attempt_at": None, "finished_at": delivery.created_at}
    Delivery.objects.filter(pk=delivery.pk).update(**{**values, **fields})


@pytest.fixture
def told(channel, attach, lead, mug):
    """`told()`: an order of the shop that completed, and its one delivery, which failed."""
    attach(channel, "order.completed")

    def told(reference="r1"):
        order = place(lead, item("mug"))
        pay(order, reference=reference)
        delivery = Delivery.objects.get(event__order=order)
        fail(delivery)
        return order, Delivery.objects.get(pk=delivery.pk)

    return told


def unchanged(delivery):
    return Delivery.objects.filter(pk=delivery.pk).values().get() == {
        field.attname: getattr(delivery, field.attname) for field in delivery._meta.concrete_fields
    }


@pytest.mark.django_db(transaction=True)
def test_a_retry_from_the_page_delivers_the_same_bytes_under_the_same_id(
    admin_client, engine, receiver, channel, attach, lead, mug
):
    attach(channel, "order.completed")
    receiver.answer = lambda request: 404 if len(receiver.received) == 1 else 200
    order = place(lead, item("mug"))
    pay(order)
    engine.deliver_due()
    delivery = Delivery.objects.get()
    page = admin_client.get(page_of(order))
    assert "Order completed Warehouse Failed 404 1" in text_of(page)
    assert delivery.error
    assert delivery.error in text_of(page)

    response = admin_client.post(retry_url(order, delivery))
    assert response["Location"] == f"{page_of(order)}#postbacks"
    page = follow(admin_client, response)
    assert "Retry of Order completed to Warehouse: it is being sent." in text_of(page)
    assert "Order completed Warehouse Pending 404 1" in text_of(page)
    assert "It is waiting to be sent." in text_of(page)

    engine.deliver_due()
    first, second = receiver.received
    assert (second.id, second.body) == (first.id, first.body)
    assert story(delivery) == [(1, "first", "http_error", 404), (2, "manual", "succeeded", 200)]
    assert "Order completed Warehouse Succeeded 200 2" in text_of(admin_client.get(page_of(order)))


def test_the_panel_shows_every_delivery_newest_first_and_why_some_are_not_retried(
    admin_client, channel, attach, lead, mug
):
    attach(channel)
    order = place(lead, item("mug"))
    pay(order)
    refund(order, "1.00")
    for delivery in Delivery.objects.all():
        fail(delivery)
    paused = create_channel(name="Bookkeeping", kind="postback", url="https://example.com/hook")
    attach(paused, "refund.applied")
    pause_channel(channel_id=paused.pk, reason="Moving house")
    refund(order, "2.00")
    elsewhere = place(lead, item("mug"))
    pay(elsewhere, reference="r2")

    response = admin_client.get(page_of(order))
    rows = [
        (row.label, str(row.delivery.channel), row.status, row.answer, row.refused_because)
        for row in response.context["postbacks"]
    ]
    newest = sorted(rows[:2])
    assert newest == [
        ("Refund applied", "Bookkeeping", "held", "", "It is waiting to be sent."),
        ("Refund applied", "Warehouse", "pending", "", "It is waiting to be sent."),
    ]
    assert rows[2:] == [
        ("Refund applied", "Warehouse", "failed", "404", None),
        ("Order completed", "Warehouse", "failed", "404", None),
        ("Customer created", "Warehouse", "failed", "404", "Customer created has no manual retry."),
        ("Approved transaction", "Warehouse", "failed", "404", None),
    ]
    assert [button for button in buttons_of(response) if button.startswith("Retry")] == [
        "Retry Refund applied to Warehouse",
        "Retry Order completed to Warehouse",
        "Retry Approved transaction to Warehouse",
    ]
    shown = text_of(response)
    assert "Held – 0" in shown
    assert "when the channel is resumed" in shown
    assert "Customer created has no manual retry." in shown


def test_a_delivery_without_an_answer_shows_what_it_came_to(admin_client, told):
    order, delivery = told()
    fail(delivery, status_code=None, outcome="timeout")
    assert "Order completed Warehouse Failed Timeout 1" in text_of(admin_client.get(page_of(order)))


def test_an_order_that_no_channel_was_to_hear_of_says_so(admin_client, lead, mug):
    order = place(lead, item("mug"))
    assert "No channel was to hear of this order yet." in text_of(admin_client.get(page_of(order)))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda delivery: fail(delivery, status="succeeded"), "It has been delivered."),
        (
            lambda delivery: pause_channel(channel_id=delivery.channel_id, reason="Moving house"),
            "The channel is paused. Resume it first.",
        ),
        (lambda delivery: archive_channel(channel_id=delivery.channel_id), "The channel was deleted."),
        (lambda delivery: fail(delivery, event_type="customer.created"), "Customer created has no manual retry."),
    ],
    ids=["delivered", "paused", "deleted", "no manual retry"],
)
def test_a_retry_that_is_refused_says_why_and_changes_nothing(spoil, reason, admin_client, told):
    order, delivery = told()
    spoil(delivery)
    delivery = Delivery.objects.select_related("channel").get(pk=delivery.pk)
    page = admin_client.get(page_of(order))
    assert reason in text_of(page)
    assert not [button for button in buttons_of(page) if button.startswith("Retry")]
    response = admin_client.post(retry_url(order, delivery))
    label = "Customer created" if delivery.event_type == "customer.created" else "Order completed"
    assert messages_of(response) == [f"{label} to {delivery.channel} was not retried. {reason}"]
    assert unchanged(delivery)


def test_a_delivery_of_another_order_is_not_found(admin_client, told):
    order, _ = told()
    _, elsewhere = told("r2")
    assert admin_client.post(retry_url(order, elsewhere)).status_code == 404
    assert admin_client.post(f"{LIST}{order.pk}/postbacks/dlv_unknown/retry/").status_code == 404
    assert unchanged(elsewhere)


def test_a_retry_is_posted(admin_client, told):
    order, delivery = told()
    assert admin_client.get(retry_url(order, delivery)).status_code == 405
    assert unchanged(delivery)


def test_the_panel_and_the_retry_have_permissions_of_their_own(sign_in, told):
    order, delivery = told()
    blind = sign_in("orders.view_order", "orders.change_order")
    assert "Postbacks" not in text_of(blind.get(page_of(order)))
    viewer = sign_in("orders.view_order", "orders.change_order", "notifications.view_delivery")
    page = viewer.get(page_of(order))
    assert "Order completed Warehouse Failed 404 1" in text_of(page)
    assert not [button for button in buttons_of(page) if button.startswith("Retry")]
    stranger = sign_in("notifications.view_delivery", "notifications.change_delivery")
    for client in (blind, viewer, stranger):
        assert client.post(retry_url(order, delivery)).status_code == 403
    assert unchanged(delivery)
    staff = sign_in("orders.view_order", "notifications.view_delivery", "notifications.change_delivery")
    assert "Retry Order completed to Warehouse" in buttons_of(staff.get(page_of(order)))
    assert staff.post(retry_url(order, delivery)).status_code == 302
    delivery.refresh_from_db()
    assert (delivery.status, delivery.next_trigger) == ("pending", "manual")


def test_the_page_takes_as_many_queries_for_twenty_deliveries_as_for_one(admin_client, told, django_assert_num_queries):
    order, delivery = told()
    admin_client.get(page_of(order))
    # Session, user, order; then order with contact and funnel, items, subscriptions, transactions, their refunds,
    # refunds, deliveries.
    with django_assert_num_queries(10):
        admin_client.get(page_of(order))
    for _ in range(19):
        Delivery.objects.create(event=delivery.event, event_type=delivery.event_type, channel=delivery.channel)
    for row in range(19):
        pay(order, reference=f"more{row}")
        refund(order, "0.10", transaction=order.transactions.last().pk)
    with django_assert_num_queries(10):
        response = admin_client.get(page_of(order))
    assert len(response.context["postbacks"]) == 20
    assert len(response.context["transactions"]) == 20


def retry_selected(client, *orders):
    selected = [order.pk for order in orders]
    return client.post(LIST, {"action": "retry_failed_postbacks", "_selected_action": selected})


def test_failed_postbacks_of_the_selected_orders_are_retried(admin_client, told, channel, attach):
    (first, one), (second, two), (_, left_out) = told("r1"), told("r2"), told("r3")
    held = create_channel(name="Bookkeeping", kind="postback", url="https://example.com/hook")
    refused = [Delivery.objects.create(event=d.event, event_type=d.event_type, channel=held) for d in (one, two)]
    no_retry = Delivery.objects.create(event=one.event, event_type="customer.created", channel=channel)
    for delivery in (*refused, no_retry):
        fail(delivery)
    pause_channel(channel_id=held.pk, reason="Moving house")
    response = retry_selected(admin_client, first, second)
    assert messages_of(response) == [
        "Retried: 2. They are being sent.",
        "Refused: 2. The channel is paused. Resume it first.",
    ]
    assert set(Delivery.objects.filter(status="pending").values_list("pk", "next_trigger")) == {
        (one.pk, "manual"),
        (two.pk, "manual"),
    }
    assert unchanged(left_out)


def test_nothing_to_retry_is_said(admin_client, lead, mug):
    response = retry_selected(admin_client, place(lead, item("mug")))
    assert messages_of(response) == ["The selected orders have no failed postback that can be retried."]


def test_the_list_action_needs_the_permission_to_retry(sign_in, told):
    order, delivery = told()
    viewer = sign_in("orders.view_order", "orders.change_order", "notifications.view_delivery")
    assert "Retry failed postbacks" not in viewer.get(LIST).content.decode()
    retry_selected(viewer, order)
    assert unchanged(delivery)
    staff = sign_in("orders.view_order", "notifications.change_delivery")
    assert "Retry failed postbacks" in staff.get(LIST).content.decode()
    retry_selected(staff, order)
    delivery.refresh_from_db()
    assert delivery.status == "pending"
