"""What staff do on the page of an order: what is written, what is announced, what is said."""

import re
import threading

import pytest
from django.db import connection
from django.urls import reverse

from channels_app.services import pause_channel
from orders.models import Order, Refund, Transaction
from tests.backoffice.reading import buttons_of, messages_of, text_of
from tests.orders.shop import NO_AMOUNT, counts, decline, item, pay, place, refund, stored

pytestmark = pytest.mark.django_db

ACTIONS = ["record_payment", "refund", "reach_thank_you"]
ASKED = ["record_payment", "refund"]  # on a page of their own
STAFF = ("orders.view_order", "orders.change_order")


def act(client, order, action, **values):
    """What the action's own form would send: its defaults, changed by `values`."""
    name = {"record_payment": "payment", "refund": "refund"}.get(action)
    sent = {}
    page = client.get(url(order, action)) if name else None
    if page and page.status_code == 200:
        form = page.context["form"]
        sent = {form[field].html_name: form[field].value() for field in form.fields}
        if name == "payment":
            sent["payment-status"] = "approved"
        else:
            sent |= {"refund-kind": "refund", "refund-transaction": form.fields["transaction"].choices[0][0]}
        sent |= {f"{name}-{field}": value for field, value in values.items()}
    elif name:
        sent = {f"{name}-{field}": value for field, value in values.items()}
    sent = {field: value for field, value in sent.items() if value is not None and value is not False}
    return client.post(url(order, action), sent)


def url(order, action):
    return reverse(f"admin:orders_order_{action}", args=[order.pk])


def page_of(order):
    return reverse("admin:orders_order_change", args=[order.pk])


def refused(response, order, before, announced):
    """The action's page, with what was typed, and nothing written or announced; returns what is wrong as a whole."""
    assert response.status_code == 200
    assert counts() == before
    assert announced.names == []
    shown = text_of(response)
    assert f"Orders Order {order.number}" in shown
    assert "Nothing was saved. Correct what is marked below." in shown
    return list(response.context["form"].non_field_errors())


def test_an_approved_payment_of_what_is_left_completes_the_order(admin_client, announced, lead, mug):
    order = place(lead, item("mug", 2), source="admin")
    response = act(admin_client, order, "record_payment")
    purchase = Transaction.objects.get()
    assert (purchase.status, str(purchase.amount), purchase.gateway, purchase.is_upsell) == (
        *("approved", "25.00", "manual", False),
    )
    assert re.fullmatch(r"manual_[0-9a-z]{26}", purchase.reference)
    assert stored(order).status == "completed"
    assert announced.names == ["transaction.approved", "customer.created", "order.completed"]
    assert messages_of(response) == [f"Payment of 25.00 USD recorded. Order {order.number} is completed."]
    assert response["Location"] == page_of(order)
    history = text_of(admin_client.get(reverse("admin:orders_order_history", args=[order.pk])))
    assert "Payment of 25.00 USD recorded." in history


def test_a_payment_is_recorded_as_staff_describe_it(admin_client, lead, mug, funnel):
    order = place(lead, item("mug"), source="funnel")
    act(admin_client, order, "record_payment", amount="3.5", gateway="stripe", reference=" ch_1 ", is_upsell="on")
    purchase = Transaction.objects.get()
    assert (str(purchase.amount), purchase.gateway, purchase.reference, purchase.is_upsell) == (
        *("3.50", "stripe", "ch_1", True),
    )
    assert stored(order).status == "paid"


def test_a_declined_payment_is_recorded_with_its_reason(admin_client, announced, lead, mug):
    order = place(lead, item("mug"), source="admin")
    reason = {"decline_code": "51", "decline_message": "Insufficient funds"}
    response = act(admin_client, order, "record_payment", status="declined", **reason)
    purchase = Transaction.objects.get()
    assert (purchase.status, purchase.decline_code, purchase.decline_message) == (
        *("declined", "51", "Insufficient funds"),
    )
    assert stored(order).status == "open"
    assert announced.names == ["transaction.declined"]
    assert messages_of(response) == [f"Declined payment of 12.50 USD recorded. Order {order.number} is open."]


def test_a_payment_sent_twice_is_one_payment(admin_client, announced, lead, mug):
    order = place(lead, item("mug"), source="admin")
    form = admin_client.get(url(order, "record_payment")).context["form"]
    sent = {form[field].html_name: form[field].value() or "" for field in form.fields}
    sent = {**sent, "payment-status": "approved", "payment-is_upsell": "on"}
    admin_client.post(url(order, "record_payment"), sent)
    announced.take()
    response = admin_client.post(url(order, "record_payment"), sent)
    assert messages_of(response)[-1] == "This payment was recorded already."
    assert Transaction.objects.count() == 1
    assert announced.names == []


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"amount": ""}, "amount", "This field is required."),
        ({"amount": "1e3"}, "amount", NO_AMOUNT),
        ({"gateway": ""}, "gateway", "This field is required."),
        ({"status": "pending"}, "status", "Select a valid choice. pending is not one of the available choices."),
        ({"decline_code": "51"}, "decline_code", "Only a declined purchase has this."),
    ],
)
def test_a_payment_that_cannot_be_is_refused_on_its_field(values, field, sentence, admin_client, announced, lead, mug):
    order = place(lead, item("mug"), source="admin")
    before = counts()
    response = act(admin_client, order, "record_payment", reference="ch_9", **values)
    assert refused(response, order, before, announced) == []
    assert response.context["form"].errors == {field: [sentence]}
    assert 'value="ch_9"' in response.content.decode()


def test_a_reference_of_another_purchase_is_refused_with_the_reason(admin_client, announced, lead, mug):
    other, order = place(lead, item("mug")), place(lead, item("mug"), source="admin")
    pay(other, reference="ch_1")
    announced.take()
    before = counts()
    response = act(admin_client, order, "record_payment", gateway="stripe", reference="ch_1")
    said = refused(response, order, before, announced)
    assert said == [
        "This gateway and reference stand for a purchase of 12.50 USD that was approved on "
        f"order {other.number}. Each attempt needs a reference of its own."
    ]
    assert stored(order).status == "open"


def test_a_refunded_order_offers_no_payment_and_refuses_one(admin_client, announced, lead, mug):
    order = place(lead, item("mug"))
    pay(order)
    refund(order, kind="void")
    announced.take()
    before = counts()
    response = admin_client.get(page_of(order))
    assert buttons_of(response) == ["Set tracking"]
    assert "Record payment: The order is refunded and takes no more purchases." in text_of(response)
    assert "Refund or void: Everything that was paid has been given back." in text_of(response)
    asked = admin_client.get(url(order, "record_payment"))
    assert (asked["Location"], messages_of(asked)) == (
        page_of(order),
        ["The order is refunded and takes no more purchases."],
    )
    sent = {"payment-status": "approved", "payment-amount": "1", "payment-gateway": "manual"}
    response = admin_client.post(url(order, "record_payment"), sent)
    said = refused(response, order, before, announced)
    assert said == ["The order is refunded and takes no more purchases."]


def test_a_part_is_given_back(admin_client, announced, lead, mug):
    order = place(lead, item("mug"))
    purchase = pay(order)
    announced.take()
    response = act(admin_client, order, "refund", amount="2.50", reason="Scratched")
    given_back = Refund.objects.get()
    assert (given_back.kind, str(given_back.amount), given_back.reason, given_back.transaction) == (
        *("refund", "2.50", "Scratched", purchase),
    )
    assert stored(order).status == "completed"
    assert announced.names == ["refund.applied"]
    assert messages_of(response) == [f"Refund of 2.50 USD applied. Order {order.number} is completed."]


def test_a_void_gives_back_the_whole_and_ends_the_order(admin_client, announced, lead, mug):
    order = place(lead, item("mug"))
    pay(order)
    announced.take()
    response = act(admin_client, order, "refund", kind="void", amount="")
    assert stored(order).status == "refunded"
    assert announced.names == ["refund.applied"]
    assert messages_of(response) == [f"Void of 12.50 USD applied. Order {order.number} is refunded."]


def test_only_purchases_of_which_something_is_left_are_offered(admin_client, lead, mug):
    order = place(lead, item("mug"))
    decline(order)
    spent, started, whole = (pay(order, amount, amount) for amount in ("1.00", "2.00", "3.00"))
    refund(order, "1.00", transaction=spent.pk)
    refund(order, "0.50", transaction=started.pk)
    form = admin_client.get(url(order, "refund")).context["form"]
    assert form.fields["transaction"].choices == [
        (whole.pk, "3.00 USD (stripe 3.00)"),
        (started.pk, "2.00 USD, 1.50 USD left (stripe 2.00)"),
    ]


def test_only_kinds_that_are_possible_are_offered(admin_client, lead, mug):
    def kinds(order):
        return [kind for kind, _ in admin_client.get(url(order, "refund")).context["form"].fields["kind"].choices]

    untouched, started, free = (place(lead, item("mug")) for _ in range(3))
    pay(untouched, reference="r1")
    pay(started, reference="r2")
    refund(started, "1.00")
    pay(free, "0.00", reference="r3")
    assert (kinds(untouched), kinds(started), kinds(free)) == (["refund", "void"], ["refund"], ["void"])


@pytest.mark.parametrize(
    ("price", "paid", "amount"), [("12.50", "4.00", "8.50"), ("12.50", "12.50", None), ("0.00", None, "0.00")]
)
def test_the_amount_is_what_is_left_where_something_is(price, paid, amount, admin_client, lead, mug):
    order = place(lead, item("mug", unit_price=price))
    if paid:
        pay(order, paid)
    offered = admin_client.get(url(order, "record_payment")).context["form"]["amount"].value()
    assert (offered if offered is None else str(offered)) == amount


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"amount": ""}, {"amount": ["A refund needs an amount."]}),
        (
            {"amount": "12.51"},
            {"amount": ["Give an amount above 0 and up to 12.50, which is left of the purchase."]},
        ),
        ({"kind": "void", "amount": "1"}, {"amount": ["A void gives back the whole purchase, 12.50."]}),
    ],
)
def test_a_refund_that_cannot_be_is_refused_on_its_field(values, errors, admin_client, announced, lead, mug):
    order = place(lead, item("mug"))
    pay(order)
    announced.take()
    before = counts()
    response = act(admin_client, order, "refund", reason="Scratched", **values)
    refused(response, order, before, announced)
    assert response.context["form"].errors == errors
    assert 'value="Scratched"' in response.content.decode()


def test_where_nothing_is_left_a_refund_says_so_and_names_no_amount(admin_client, announced, lead, mug):
    order = place(lead, item("mug"))
    spent, free, other = pay(order), pay(order, "0", "r2"), pay(order, "5", "r3")
    refund(order, "12.50", transaction=spent.pk)
    announced.take()
    before = counts()
    sentences = {
        spent: "Nothing is left of this purchase: all of it was given back.",
        free: "Nothing was paid with this purchase, so nothing can be given back. It can be voided.",
    }
    for purchase, sentence in sentences.items():
        response = act(admin_client, order, "refund", transaction=purchase.pk, amount="1")
        refused(response, order, before, announced)
        assert response.context["form"].errors == {"amount": [sentence]}
    assert "12.50 USD, nothing left (stripe r1)" in text_of(response)
    refund(order, kind="void", transaction=free.pk)
    response = act(admin_client, order, "refund", transaction=free.pk, amount="1")
    assert response.context["form"].errors == {"amount": ["This purchase of nothing was voided."]}

    # A page that was opened while something was left.
    sent = {"refund-transaction": other.pk, "refund-kind": "refund", "refund-amount": "5", "refund-reason": ""}
    sent["refund-refunded_total"] = "12.50"
    refund(order, "5", transaction=other.pk)
    announced.take()
    before = counts()
    response = admin_client.post(url(order, "refund"), sent)
    assert (response.status_code, response["Location"]) == (302, page_of(order))
    assert messages_of(response) == ["Everything that was paid has been given back."]
    assert (counts(), announced.names) == (before, [])


def test_where_nothing_is_left_to_pay_the_form_says_so(admin_client, lead, mug):
    order = place(lead, item("mug"))
    assert "Nothing is left to pay" not in text_of(admin_client.get(url(order, "record_payment")))
    pay(order)
    page = text_of(admin_client.get(url(order, "record_payment")))
    assert "Nothing is left to pay of the total: this would be a further purchase." in page


def test_a_purchase_of_another_order_is_not_given_back(admin_client, announced, lead, mug):
    order, other = place(lead, item("mug")), place(lead, item("mug"))
    pay(order)
    elsewhere = pay(other, reference="r2")
    announced.take()
    before = counts()
    response = act(admin_client, order, "refund", transaction=elsewhere.pk)
    refused(response, order, before, announced)
    assert list(response.context["form"].errors) == ["transaction"]


def test_a_refund_sent_twice_is_one_refund(admin_client, announced, lead, mug):
    order = place(lead, item("mug"))
    purchase = pay(order)
    announced.take()
    sent = {"refund-transaction": purchase.pk, "refund-kind": "refund", "refund-amount": "1", "refund-reason": ""}
    sent["refund-refunded_total"] = "0.00"
    assert admin_client.post(url(order, "refund"), sent).status_code == 302
    assert announced.take() == ["refund.applied"]
    before = counts()
    response = admin_client.post(url(order, "refund"), sent)
    said = refused(response, order, before, announced)
    assert said[0].startswith("Something of this order was given back since the page was opened.")
    # What the page carries now is right for the order as it stands: sent again, it is meant.
    again = {**sent, "refund-refunded_total": response.context["form"]["refunded_total"].value()}
    assert admin_client.post(url(order, "refund"), again).status_code == 302
    assert str(stored(order).refunded_total) == "2.00"


@pytest.mark.django_db(transaction=True)
def test_a_refund_sent_twice_at_once_is_one_refund(admin_user, client, lead, mug):
    order = place(lead, item("mug"))
    purchase = pay(order)
    client.force_login(admin_user)
    sent = {"refund-transaction": purchase.pk, "refund-kind": "refund", "refund-amount": "1"}
    sent["refund-refunded_total"] = "0.00"
    statuses, together = [], threading.Barrier(2)

    def send():
        together.wait(20)
        try:
            statuses.append(client.post(url(order, "refund"), sent).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [200, 302]
    assert str(stored(order).refunded_total) == "1.00"


def test_the_thank_you_page_completes_a_paid_order_of_a_funnel(admin_client, announced, lead, mug, funnel):
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    announced.take()
    response = act(admin_client, order, "reach_thank_you")
    assert stored(order).status == "completed"
    assert announced.names == ["order.completed"]
    assert messages_of(response) == [f"Thank-you page reached. Order {order.number} is completed."]
    announced.take()
    response = act(admin_client, order, "reach_thank_you")
    assert announced.names == []
    assert messages_of(response)[-1] == f"Order {order.number} was completed already. Nothing was changed."


def test_before_a_purchase_the_thank_you_page_and_refunds_say_why_they_are_not_offered(
    admin_client, announced, lead, mug, funnel
):
    order = place(lead, item("mug"), source="funnel")
    response = admin_client.get(page_of(order))
    assert buttons_of(response) == ["Record payment", "Set tracking"]
    assert "Thank-you page: There is no approved purchase yet." in text_of(response)
    assert "Refund or void: There is no approved purchase yet." in text_of(response)
    asked = admin_client.get(url(order, "refund"))
    assert (asked["Location"], messages_of(asked)) == (page_of(order), ["There is no approved purchase yet."])
    response = act(admin_client, order, "reach_thank_you")
    assert messages_of(response)[-1] == "The order has no approved purchase yet."
    assert (stored(order).status, announced.names) == ("open", [])


def test_an_order_of_no_funnel_has_no_thank_you_page(admin_client, announced, lead, mug):
    order = place(lead, item("mug"))
    assert "Thank-you page" not in text_of(admin_client.get(page_of(order)))
    response = act(admin_client, order, "reach_thank_you")
    assert messages_of(response) == ["Only an order of a funnel has a thank-you page."]
    assert announced.names == []


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_are_posted(action, admin_client, announced, lead, mug, funnel):
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    announced.take()
    before = counts()
    if action in ASKED:
        assert admin_client.get(url(order, action)).status_code == 200
    else:
        assert admin_client.get(url(order, action)).status_code == 405
    for method in (admin_client.head, admin_client.put):
        assert method(url(order, action)).status_code == 405
    assert (counts(), stored(order).status, announced.names) == (before, "paid", [])


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_need_the_permission_to_change_orders(action, sign_in, announced, lead, mug, funnel):
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    announced.take()
    before = counts()
    viewer = sign_in("orders.view_order")
    response = viewer.get(page_of(order))
    assert buttons_of(response) == []
    assert "You may look at this order, but not change it." in text_of(response)
    values = {"amount": "1.00"} if action != "reach_thank_you" else {}
    assert act(viewer, order, action, **values).status_code == 403
    assert (counts(), stored(order).status, announced.names) == (before, "paid", [])
    assert act(sign_in(*STAFF), order, action, **values).status_code == 302


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_are_refused_without_a_token_of_the_page(action, admin_user, client, lead, mug, funnel):
    order = place(lead, item("mug"), source="funnel")
    client.handler.enforce_csrf_checks = True
    client.force_login(admin_user)
    assert client.post(url(order, action), {}).status_code == 403


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_on_no_order_is_not_found(action, admin_client):
    assert admin_client.post(reverse(f"admin:orders_order_{action}", args=[999999]), {}).status_code == 404
    assert Order.objects.count() == 0


def test_an_action_says_how_many_notifications_it_made(admin_client, channel, attach, lead, mug):
    attach(channel, "order.completed", "transaction.approved", "refund.applied")
    order = place(lead, item("mug"), source="admin")
    response = act(admin_client, order, "record_payment")
    assert messages_of(response) == [
        f"Payment of 12.50 USD recorded. Order {order.number} is completed. 2 notifications are being sent."
    ]
    pause_channel(channel_id=channel.pk, reason="Moving house")
    response = act(admin_client, order, "refund", amount="1.00")
    assert messages_of(response)[-1] == (
        f"Refund of 1.00 USD applied. Order {order.number} is completed. "
        "1 notification is held until the channel is resumed."
    )


@pytest.mark.parametrize("action", [*ASKED, "set_tracking"])
def test_a_question_can_be_shown_in_a_dialog_and_leads_back(action, admin_client, lead, mug):
    order = place(lead, item("mug"))
    pay(order)
    assert f'href="{url(order, action)}" data-dialog>' in admin_client.get(page_of(order)).content.decode()
    page = admin_client.get(url(order, action)).content.decode()
    assert re.search(r'<form [^>]*method="post"[^>]* data-dialog-content="[A-Z]', page)
    assert f'href="{page_of(order)}" data-close>Cancel</a>' in page
