"""Which purchase pays which items, and what follows from that: rule 10 of the shop floor."""

import pytest

from orders.models import Contact, Funnel, Order, Product, Subscription
from orders.representations import OrderOut
from tests.orders.shop import Announcements, decline, item, pay, place, refund, stored

pytestmark = pytest.mark.django_db


def paid(order: Order) -> dict[str, bool]:
    """Whether each item is paid, as the outside sees it."""
    return {line.sku: line.paid for line in OrderOut.model_validate(stored(order)).items}


@pytest.mark.parametrize("source", ["funnel", "shop", "admin"])
def test_a_declined_cart_and_an_approved_down_sell(
    source: str, lead: Contact, club: Product, course: Product, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("club"), item("course"), source=source)
    decline(order, "58.00")
    announced.take()

    pay(order, "12.50", "down", is_upsell=True, items=[item("mug")])

    assert paid(order) == {"club": False, "course": False, "mug": True}
    assert Subscription.objects.count() == 0
    shown = announced.only("transaction.approved").order
    assert shown is not None and [line["paid"] for line in shown["items"]] == [False, False, True]
    # Nobody holds the course, so whoever buys it now buys it for the first time.
    announced.take()
    pay(place(lead, item("course")), "49", "again")
    assert "product.conflict" not in announced.names


def test_items_given_at_opening_belong_to_the_first_purchase_that_is_no_upsell(
    lead: Contact, club: Product, mug: Product, course: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("club"), item("course"), source="funnel")
    assert paid(order) == {"club": False, "course": False}
    upsell = pay(order, "12.50", "up", is_upsell=True, items=[item("mug")])
    cart = pay(order, "58.00", "cart")
    again = pay(order, "1.00", "tip")
    assert paid(order) == {"club": True, "course": True, "mug": True}
    by = {line.sku: line.paid_by for line in stored(order).items.all()}
    assert by == {"club": cart, "course": cart, "mug": upsell}
    assert Subscription.objects.get().transaction == cart
    assert again.items.count() == 0


def test_the_cart_conflicts_with_an_upsell_that_was_paid_before(
    lead: Contact, course: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("course"), source="funnel")
    pay(order, "49", "up", is_upsell=True, items=[item("course")])
    assert "product.conflict" not in announced.names
    pay(order, "49", "cart")
    assert announced.only("product.conflict").arguments["previous_order"].number == order.number


def test_an_upsell_without_items_pays_none(lead: Contact, club: Product, announced: Announcements) -> None:
    order = place(lead, item("club"))
    pay(order, "9", "up", is_upsell=True)
    assert (stored(order).status, paid(order)) == ("completed", {"club": False})
    assert Subscription.objects.count() == 0
    pay(order, "9", "cart")
    assert paid(order) == {"club": True}
    assert Subscription.objects.count() == 1


def test_what_was_given_back_was_paid(lead: Contact, course: Product, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("course"), item("mug"))
    first = pay(order, "61.50", "cart")
    pay(order, "1", "tip")
    refund(order, kind="void", transaction=first.id)
    assert paid(order) == {"course": True, "mug": True}
