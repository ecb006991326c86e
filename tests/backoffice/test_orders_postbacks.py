"""The postbacks of an order: who was told, how it went, and telling them again."""

import re
from datetime import timedelta

import pytest
from django.contrib import messages
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from channels_app.services import create_channel, pause_channel
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event
from notifications.services import archive_channel, set_event_type_enabled
from orders.models import Order
from tests.backoffice.reading import buttons_of, follow, messages_of, queries_of_commerce, text_of
from tests.notifications.deliveries import story
from tests.orders.shop import decline, item, pay, place, refund

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
    assert "Order completed to Warehouse Failed Answer: 404 1 attempt Recorded" in text_of(page)
    assert "0 of 1 postback delivered, 1 failed." in text_of(page)
    assert delivery.error
    assert delivery.error in text_of(page)

    response = admin_client.post(retry_url(order, delivery))
    assert response["Location"] == f"{page_of(order)}#postbacks"
    page = follow(admin_client, response)
    assert "Retry of Order completed to Warehouse: it is being sent." in text_of(page)
    assert "Order completed to Warehouse Pending Answer: 404 1 attempt Recorded" in text_of(page)
    assert "0 of 1 postback delivered, 1 on the way." in text_of(page)

    engine.deliver_due()
    first, second = receiver.received
    assert (second.id, second.body) == (first.id, first.body)
    assert story(delivery) == [(1, "first", "http_error", 404), (2, "manual", "succeeded", 200)]
    page = admin_client.get(page_of(order))
    assert "Order completed to Warehouse Succeeded Answer: 200 2 attempts Recorded" in text_of(page)
    assert "1 of 1 postback delivered." in text_of(page)


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
    assert re.search(
        "Refund applied to Bookkeeping Held 0 attempts Recorded .* Goes when the channel is resumed", shown
    )
    assert "No retry: Customer created has no manual retry." in shown
    assert "0 of 6 postbacks delivered, 4 failed, 1 on the way, 1 held until the channel is resumed." in shown
    assert "Why was it notified, or not?" in shown


def test_a_delivery_without_an_answer_shows_what_it_came_to(admin_client, told):
    order, delivery = told()
    fail(delivery, status_code=None, outcome="timeout")
    assert "Order completed to Warehouse Failed Answer: Timeout 1 attempt" in text_of(admin_client.get(page_of(order)))


def glance(client, order):
    """The sentence at the head of the panel, and the routing below it, as text."""
    response = client.get(page_of(order))
    below = text_of(response).partition("Why was it notified, or not?")[2].partition(" Items ")[0]
    assert response.context["at_a_glance"] in text_of(response)
    return response.context["at_a_glance"], below


def test_an_order_of_which_nothing_was_to_be_told_yet_says_so(admin_client, settings, lead, mug):
    order = place(lead, item("mug"))
    assert glance(admin_client, order) == ("Nothing has happened yet that channels are told of.", "")
    Order.objects.filter(pk=order.pk).update(created_at=order.created_at - timedelta(days=91))
    settings.RETENTION_DAYS = 90
    assert glance(admin_client, order) == (
        *("Nothing is kept of the postbacks of this order: they are deleted after 90 days.", ""),
    )


def test_an_order_that_no_channel_heard_of_says_why_event_by_event(admin_client, channel, attach, lead, mug):
    order = place(lead, item("mug"), source="admin")
    decline(order)
    nobody, below = glance(admin_client, order)
    assert nobody == "No channel was to hear of this order: none is attached to what happened."
    assert re.search("Transaction declined .+, source Admin No channel was attached to this event type.", below)

    attach(channel, "transaction.declined", sources=("shop",))
    Event.objects.all().delete()
    decline(order, reference="d2")
    listening, below = glance(admin_client, order)
    assert listening == "No channel was to hear of this order: none that is attached listens to the source Admin."
    assert "Warehouse: The channel does not listen to this source." in below

    set_event_type_enabled(event_type=EVENT_TYPES["transaction.declined"], enabled=False, by="test")
    decline(order, reference="d3")
    mixed, below = glance(admin_client, order)
    assert mixed == "No channel was to hear of this order: the reasons stand below, event by event."
    assert below.index("Warehouse: The event type was turned off.") < below.index("does not listen to this source.")

    Event.objects.exclude(routing__0__outcome="event_disabled").delete()
    assert glance(admin_client, order)[0] == "No channel was to hear of this order: the event types were turned off."


def test_the_routing_leads_to_the_event_and_its_delivery_for_those_who_may_see_them(admin_client, sign_in, told):
    order, delivery = told()
    links = [
        f'href="/admin/notifications/event/{delivery.event_id.replace("_", "_5F")}/change/"',
        f'href="/admin/notifications/delivery/{delivery.pk.replace("_", "_5F")}/change/"',
    ]
    page = admin_client.get(page_of(order)).content.decode()
    assert [page.count(link) for link in links] == [1, 2]  # the delivery from its row, too
    page = sign_in("orders.view_order", "notifications.view_delivery").get(page_of(order)).content.decode()
    assert [page.count(link) for link in links] == [0, 2]


def test_only_the_newest_events_and_deliveries_are_shown_with_a_way_to_the_rest(admin_client, monkeypatch, told):
    monkeypatch.setattr("backoffice.orders.postbacks.POSTBACKS_SHOWN", 1)
    monkeypatch.setattr("backoffice.orders.orders.POSTBACKS_SHOWN", 1)
    monkeypatch.setattr("backoffice.orders.postbacks.OCCURRENCES_SHOWN", 2)
    monkeypatch.setattr("backoffice.orders.orders.OCCURRENCES_SHOWN", 2)
    order, _ = told()
    decline(order, reference="d2")
    response = admin_client.get(page_of(order))
    assert [occurrence.label for occurrence in response.context["occurrences"]] == [
        "Transaction declined",
        "Order completed",
    ]
    page = response.content.decode()
    assert f'href="/admin/notifications/event/?q={order.number}"' in page
    assert f'href="/admin/notifications/delivery/?q={order.number}"' not in page
    Delivery.objects.create(
        event=Event.objects.filter(order=order).first(),
        event_type="transaction.declined",
        channel=Delivery.objects.get().channel,
    )
    page = admin_client.get(page_of(order)).content.decode()
    assert f'href="/admin/notifications/delivery/?q={order.number}"' in page


# One row, as htmx asks for it.


def row_url(order, delivery):
    return reverse("admin:orders_order_postback", args=[order.pk, delivery.pk])


def test_a_row_asks_again_until_it_is_settled_and_then_says_so(admin_client, channel, told):
    order, delivery = told()
    row = f'id="postback-{delivery.pk}"'
    polls = f'hx-get="{row_url(order, delivery)}" hx-trigger="every {{}}s" hx-swap="outerHTML"'

    def fragment(**fields):
        Delivery.objects.filter(pk=delivery.pk).update(**fields)
        response = admin_client.get(row_url(order, delivery), headers={"HX-Request": "true"})
        assert "no-store" in response["Cache-Control"]
        content = response.content.decode()
        assert content.count(row) == 1
        assert "<html" not in content
        return content

    now = timezone.now()
    waiting = fragment(status="pending", finished_at=None, next_attempt_at=now)
    assert polls.format(2) in waiting
    assert "hx-swap-oob" not in waiting
    assert polls.format(20) in fragment(next_attempt_at=now + timedelta(minutes=5))
    pause_channel(channel_id=channel.pk, reason="Moving house")
    assert polls.format(20) in fragment(next_attempt_at=now)
    sent = {"status": "succeeded", "status_code": 204, "outcome": "succeeded", "error": ""}
    settled = fragment(**sent, next_attempt_at=None, finished_at=now)
    assert "hx-get" not in settled
    said = '<p id="postbacks-said" hx-swap-oob="innerHTML">Order completed to Warehouse: succeeded with answer 204.</p>'
    assert said in settled
    assert '<p id="postbacks-at-a-glance" hx-swap-oob="innerHTML">1 of 1 postback delivered.</p>' in settled


def test_a_retry_by_htmx_brings_the_row_and_what_is_said(admin_client, told):
    order, delivery = told()
    page = admin_client.get(page_of(order)).content.decode()
    assert f'hx-post="{retry_url(order, delivery)}" hx-target="#postback-{delivery.pk}"' in page
    response = admin_client.post(retry_url(order, delivery), headers={"HX-Request": "true"})
    assert response.status_code == 200
    content = response.content.decode()
    assert content.count(f'id="postback-{delivery.pk}"') == content.count('id="ui-said"') == 1
    shown = text_of(response)
    assert "Order completed to Warehouse Pending Answer: 404 1 attempt" in shown
    assert "Retry of Order completed to Warehouse: it is being sent." in shown
    assert "0 of 1 postback delivered, 1 on the way." in shown
    assert buttons_of(response) == []
    # What was said is not said again.
    assert "it is being sent" not in text_of(admin_client.get(page_of(order)))


@pytest.mark.parametrize("htmx", [True, False])
def test_a_second_click_is_no_error(htmx, admin_client, told):
    order, delivery = told()
    headers = {"HX-Request": "true"} if htmx else {}
    admin_client.post(retry_url(order, delivery), headers=headers)
    pending = Delivery.objects.select_related("channel").get(pk=delivery.pk)
    response = admin_client.post(retry_url(order, delivery), headers=headers)
    said = list(get_messages(response.wsgi_request))[-1]
    assert (said.level, str(said)) == (
        *(messages.INFO, "Order completed to Warehouse was not retried again. It is waiting to be sent."),
    )
    assert unchanged(pending)


def test_a_row_needs_permission_and_belongs_to_its_order(admin_client, sign_in, told):
    order, delivery = told()
    _, elsewhere = told("r2")
    assert admin_client.get(row_url(order, elsewhere)).status_code == 404
    assert admin_client.get(f"{LIST}{order.pk}/postbacks/dlv_unknown/").status_code == 404
    assert admin_client.post(row_url(order, delivery)).status_code == 405
    assert sign_in("orders.view_order").get(row_url(order, delivery)).status_code == 403
    assert sign_in("notifications.view_delivery").get(row_url(order, delivery)).status_code == 403
    viewer = sign_in("orders.view_order", "notifications.view_delivery").get(row_url(order, delivery))
    assert (viewer.status_code, buttons_of(viewer)) == (200, [])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda delivery: fail(delivery, status="succeeded"), "It has been delivered."),
        (
            lambda delivery: pause_channel(channel_id=delivery.channel_id, reason="Moving house"),
            "The channel is paused. Resume it first.",
        ),
        (lambda delivery: archive_channel(channel_id=delivery.channel_id, by="test"), "The channel was deleted."),
        (lambda delivery: fail(delivery, event_type="customer.created"), "Customer created has no manual retry."),
    ],
    ids=["delivered", "paused", "deleted", "no manual retry"],
)
def test_a_retry_that_is_refused_says_why_and_changes_nothing(spoil, reason, admin_client, told):
    order, delivery = told()
    spoil(delivery)
    delivery = Delivery.objects.select_related("channel").get(pk=delivery.pk)
    page = admin_client.get(page_of(order))
    assert (f"No retry: {reason}" in text_of(page)) == (delivery.status == "failed")
    assert not [button for button in buttons_of(page) if button.startswith("Retry")]
    response = admin_client.post(retry_url(order, delivery))
    label = "Customer created" if delivery.event_type == "customer.created" else "Order completed"
    again = " again" if delivery.status == "succeeded" else ""
    assert messages_of(response) == [f"{label} to {delivery.channel} was not retried{again}. {reason}"]
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
    assert "Order completed to Warehouse Failed Answer: 404 1 attempt" in text_of(page)
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


def test_the_page_takes_as_many_queries_for_twenty_deliveries_as_for_one(admin_client, told):
    order, delivery = told()
    # Order; then order with contact and funnel, items, subscriptions, transactions, their refunds,
    # refunds; tally of the deliveries, events, deliveries.
    with CaptureQueriesContext(connection) as few:
        admin_client.get(page_of(order))
    for _ in range(19):
        Delivery.objects.create(event=delivery.event, event_type=delivery.event_type, channel=delivery.channel)
    for row in range(19):
        pay(order, reference=f"more{row}")
        refund(order, "0.10", transaction=order.transactions.last().pk)
    with CaptureQueriesContext(connection) as many:
        response = admin_client.get(page_of(order))
    assert len(queries_of_commerce(few)) == len(queries_of_commerce(many)) == 10
    assert len(response.context["postbacks"]) == 20
    assert len(response.context["transactions"]) == 20
    assert len(response.context["occurrences"]) == 41


def test_a_row_takes_few_queries(admin_client, told):
    order, delivery = told()
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(row_url(order, delivery))
    assert len(queries_of_commerce(captured)) == 3  # order, delivery, tally


def test_orders_with_a_failed_postback_that_can_be_retried_are_listed(admin_client, sign_in, told):
    (one, _), (two, second), (three, third) = told("r1"), told("r2"), told("r3")
    fail(second, status="succeeded")
    fail(third, event_type="customer.created")

    def listed(client, **query):
        return {order.pk for order in client.get(LIST, query).context["cl"].result_list}

    assert listed(admin_client, postbacks="failed") == {one.pk}
    assert listed(admin_client, postbacks="failed", status="open") == set()
    blind = sign_in("orders.view_order")
    assert "Postbacks" not in text_of(blind.get(LIST))
    assert listed(blind, postbacks="failed") == {one.pk, two.pk, three.pk}
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(LIST, {"postbacks": "failed"})
    assert len(queries_of_commerce(captured)) == 1


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
