"""Subscriptions: started by an approved purchase, canceled once and for good."""

import pytest

from orders import services
from orders.models import Contact, Order, Product, Subscription
from orders.representations import OrderOut, SubscriptionOut, time_text
from tests.orders.shop import Announcements, counts, decline, item, pay, place, refund, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(lead: Contact, club: Product, announced: Announcements) -> Order:
    """An order with one active subscription."""
    order = place(lead, item("club"))
    pay(order, "9", "first")
    announced.take()
    return stored(order)


def test_each_subscription_of_a_paid_order_starts_with_its_purchase(
    lead: Contact, club: Product, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"), item("club", 3), item("club", 1, "7.50"))
    assert counts()["Subscription"] == 0
    purchase = pay(order, "47")
    first, second = Subscription.objects.order_by("item_id")
    assert (first.amount, second.amount) == (first.item.total, second.item.total)
    assert [SubscriptionOut.model_validate(one).amount for one in (first, second)] == ["27.00", "7.50"]
    for one in (first, second):
        assert (one.order, one.contact, one.product, one.transaction) == (order, lead, club, purchase)
        assert (one.status, one.currency, one.interval, one.source) == ("active", "USD", "month", "shop")
    subscriptions = [
        {"id": first.id, "sku": "club", "status": "active"},
        {"id": second.id, "sku": "club", "status": "active"},
    ]
    assert OrderOut.model_validate(stored(order)).model_dump()["subscriptions"] == subscriptions
    for announcement in announced.heard[-3:]:
        assert announcement.order is not None and announcement.order["subscriptions"] == subscriptions


def test_a_subscription_sent_with_an_upsell_starts_with_the_upsell(
    lead: Contact, mug: Product, club: Product, funnel: object
) -> None:
    order = place(lead, item("mug"), source="funnel")
    pay(order, reference="a")
    assert counts()["Subscription"] == 0
    upsell = pay(order, "9", "b", is_upsell=True, items=[item("club")])
    subscription = Subscription.objects.get()
    assert (subscription.transaction, subscription.source) == (upsell, "funnel")


def test_what_was_sold_is_what_starts_although_the_product_is_another_by_then(lead: Contact, club: Product) -> None:
    order = place(lead, item("club"))
    Product.objects.update(kind="digital", interval=None, title="Archive")
    pay(order, "9")
    shown = SubscriptionOut.model_validate(Subscription.objects.get())
    assert (shown.product.title, shown.interval) == ("Book club", "month")


def test_neither_a_declined_purchase_nor_a_further_one_starts_any(order: Order, lead: Contact) -> None:
    decline(place(lead, item("club")))
    pay(order, "1", "tip")
    assert counts()["Subscription"] == 1


def test_a_canceled_subscription_is_announced_and_shown(order: Order, lead: Contact, announced: Announcements) -> None:
    known = Subscription.objects.get()
    canceled = services.cancel_subscription(subscription_id=known.id, reason="Too expensive")
    kept = Subscription.objects.get()
    assert kept.canceled_at is not None
    assert SubscriptionOut.model_validate(canceled) == SubscriptionOut.model_validate(kept)
    assert SubscriptionOut.model_validate(canceled).model_dump() == {
        "id": known.id,
        "status": "canceled",
        "product": {"sku": "club", "title": "Book club"},
        "amount": "9.00",
        "currency": "USD",
        "interval": "month",
        "source": "shop",
        "started_at": time_text(known.started_at),
        "canceled_at": time_text(kept.canceled_at),
        "cancel_reason": "Too expensive",
    }
    heard = announced.only("subscription.canceled")
    assert heard.in_transaction
    assert (heard.arguments["subscription"], heard.arguments["contact"], heard.arguments["order"]) == (
        *(canceled, lead, order),
    )
    assert heard.order is not None
    assert heard.order["subscriptions"] == [{"id": known.id, "sku": "club", "status": "canceled"}]


def test_without_a_reason_it_is_null(order: Order) -> None:
    canceled = services.cancel_subscription(subscription_id=Subscription.objects.get().id)
    assert canceled.cancel_reason is None


def test_canceling_again_changes_and_announces_nothing(order: Order, announced: Announcements) -> None:
    known = Subscription.objects.get()
    first = services.cancel_subscription(subscription_id=known.id, reason="Moved away")
    announced.take()
    again = services.cancel_subscription(subscription_id=known.id, reason="Too expensive")
    assert SubscriptionOut.model_validate(again) == SubscriptionOut.model_validate(first)
    assert announced.names == []


def test_an_unknown_subscription_is_not_found(announced: Announcements) -> None:
    with pytest.raises(Subscription.DoesNotExist):
        services.cancel_subscription(subscription_id="sub_unknown")
    assert announced.names == []


def test_a_refund_cancels_nothing(order: Order, announced: Announcements) -> None:
    refund(order, kind="void")
    assert Subscription.objects.get().status == "active"
    assert announced.names == ["refund.applied"]
    services.cancel_subscription(subscription_id=Subscription.objects.get().id)
    assert announced.names == ["refund.applied", "subscription.canceled"]
