"""Two calls at once, as in `test_races`: conflicts, subscriptions, tracking and quotes."""

import pytest
from django.db.models.signals import pre_save

from orders import services, signals
from orders.errors import Conflict
from orders.inputs import TrackingInput
from orders.models import Contact, Order, Product, Quote, Subscription
from tests.orders.shop import Announcements, item, pay, place, race, stored, track

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("customer", [False, True])
@pytest.mark.parametrize("undone", [False, True])
def test_of_two_purchases_of_a_digital_product_at_once_the_second_sees_the_first(
    undone: bool, customer: bool, lead: Contact, mug: Product, course: Product, announced: Announcements
) -> None:
    if customer:
        pay(place(lead, item("mug")), reference="earlier")
    orders = [place(lead, item("course")), place(lead, item("course"))]
    announced.take()
    first, second = race(
        lambda: pay(orders[0], "49", "a"),
        lambda: pay(orders[1], "49", "b"),
        at=signals.transaction_approved,
        undo_first=undone,
    )
    assert second.waited
    assert (isinstance(first.error, RuntimeError), second.error) == (undone, None)
    conflicts = [one for one in announced.heard if one.name == "product.conflict"]
    assert [one.arguments["order"] for one in conflicts] == ([] if undone else [orders[1]])
    assert [one.arguments["previous_order"] for one in conflicts] == ([] if undone else [orders[0]])


def test_two_upsells_of_a_digital_product_at_once_conflict_once(
    lead: Contact, mug: Product, course: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    pay(order)
    announced.take()
    first, second = race(
        lambda: pay(order, "49", "a", items=[item("course")]),
        lambda: pay(order, "49", "b", items=[item("course")]),
        at=signals.transaction_approved,
    )
    assert (first.error, second.error) == (None, None)
    assert announced.names == ["transaction.approved", "transaction.approved", "product.conflict"]
    assert announced.only("product.conflict").arguments["previous_order"] == order


def test_purchases_of_contacts_that_buy_nothing_digital_do_not_wait(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    pay(place(lead, item("mug")), reference="earlier")
    orders = [place(lead, item("mug")), place(lead, item("mug"))]
    _, second = race(
        lambda: pay(orders[0], reference="a"),
        lambda: pay(orders[1], reference="b"),
        at=signals.transaction_approved,
    )
    assert (second.error, second.waited) == (None, False)


@pytest.fixture
def subscribed(lead: Contact, club: Product, announced: Announcements) -> Order:
    order = place(lead, item("club"), item("club"))
    pay(order, "18")
    announced.take()
    return stored(order)


@pytest.mark.parametrize("undone", [False, True])
def test_two_cancellations_of_a_subscription_are_one(undone: bool, subscribed: Order, announced: Announcements) -> None:
    key = Subscription.objects.earliest("item_id").id
    first, second = race(
        lambda: services.cancel_subscription(subscription_id=key, reason="first").cancel_reason,
        lambda: services.cancel_subscription(subscription_id=key, reason="second").cancel_reason,
        at=signals.subscription_canceled,
        undo_first=undone,
    )
    assert second.waited
    assert isinstance(first.error, RuntimeError) == undone
    assert second.value == Subscription.objects.get(pk=key).cancel_reason == ("second" if undone else "first")
    assert Subscription.objects.filter(status="canceled").count() == 1
    assert announced.names == ["subscription.canceled"] * (2 if undone else 1)


def test_of_two_subscriptions_canceled_at_once_the_last_event_shows_both(
    subscribed: Order, announced: Announcements
) -> None:
    keys = [one.id for one in Subscription.objects.order_by("item_id")]
    race(
        lambda: services.cancel_subscription(subscription_id=keys[0]),
        lambda: services.cancel_subscription(subscription_id=keys[1]),
        at=signals.subscription_canceled,
    )
    shown = [one.order and [each["status"] for each in one.order["subscriptions"]] for one in announced.heard]
    assert shown == [["canceled", "active"], ["canceled", "canceled"]]


def test_the_same_tracking_set_twice_at_once_is_announced_once(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    race(lambda: track(order), lambda: track(order), at=signals.tracking_updated)
    assert announced.names == ["shipping.tracking_updated"]


def test_tracking_and_a_purchase_at_once_are_both_kept(lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug"))
    tracking = TrackingInput(carrier="UPS", number="1Z999")
    race(
        lambda: pay(order),
        lambda: services.set_tracking(number=order.number, tracking=tracking),
        at=signals.order_completed,
    )
    now = stored(order)
    assert (now.status, now.tracking and now.tracking["number"]) == ("completed", "1Z999")


def test_two_sales_of_a_quote_make_one_order(lead: Contact, mug: Product) -> None:
    quote = services.create_quote(contact=lead.id, items=[item("mug")])
    # Selling announces nothing, so the first sale is held where it has saved the order and not yet the quote.
    first, second = race(
        lambda: services.sell_quote(quote_id=quote.pk),
        lambda: services.sell_quote(quote_id=quote.pk),
        at=pre_save,
    )
    assert first.error is None
    assert second.waited
    assert isinstance(second.error, Conflict)
    assert Order.objects.get() == Quote.objects.get().order == first.value
