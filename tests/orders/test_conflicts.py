"""A contact buys a digital product that they hold already."""

from decimal import Decimal

import pytest

from orders.models import Contact, Order, Product
from tests.orders.shop import Announcements, contact_input, decline, item, pay, place, refund, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(lead: Contact, course: Product, announced: Announcements) -> Order:
    """An order of the course that is paid."""
    order = place(lead, item("course"))
    pay(order, "49", "first")
    announced.take()
    return stored(order)


def conflicts(announced: Announcements) -> list[tuple[str, str, str]]:
    """(order, product, previous order) of each conflict heard."""
    return [
        (one.arguments["order"].number, one.arguments["product"].sku, one.arguments["previous_order"].number)
        for one in announced.heard
        if one.name == "product.conflict"
    ]


def test_a_digital_product_bought_again_is_a_conflict_and_nothing_is_blocked(
    first: Order, lead: Contact, mug: Product, announced: Announcements
) -> None:
    again = place(lead, item("mug"), item("course"))
    purchase = pay(again, "61.50", "again")
    assert purchase.status == "approved"
    assert announced.names == ["transaction.approved", "product.conflict", "order.completed"]
    assert conflicts(announced) == [(again.number, "course", first.number)]
    heard = announced.only("product.conflict")
    assert heard.arguments["contact"] == lead
    assert heard.order is not None and heard.order["status"] == "completed"
    assert heard.order["paid_total"] == "61.50"
    assert stored(again).status == "completed"


def test_the_first_purchase_of_a_product_is_none(lead: Contact, course: Product, announced: Announcements) -> None:
    pay(place(lead, item("course"), item("course")), "98")
    assert announced.names == ["transaction.approved", "customer.created", "order.completed"]


def test_a_physical_product_or_a_subscription_bought_again_is_none(
    lead: Contact, mug: Product, club: Product, announced: Announcements
) -> None:
    pay(place(lead, item("mug"), item("club")), "21.50", "a")
    announced.take()
    pay(place(lead, item("mug"), item("club")), "21.50", "b")
    assert announced.names == ["transaction.approved", "order.completed"]


def test_what_another_contact_holds_is_none(first: Order, course: Product, announced: Announcements) -> None:
    pay(place(contact_input("eve@example.com"), item("course")), "49", "eve")
    assert conflicts(announced) == []


def test_there_is_one_for_each_product_in_the_order_of_the_lines(
    first: Order, lead: Contact, announced: Announcements
) -> None:
    Product.objects.create(sku="ebook", title="E-book", kind="digital", unit_price=Decimal(5), currency="USD")
    second = place(lead, item("ebook"))
    pay(second, "5", "second")
    announced.take()
    third = place(lead, item("ebook"), item("course", 3), item("ebook"))
    pay(third, "157", "third")
    assert conflicts(announced) == [
        (third.number, "ebook", second.number),
        (third.number, "course", first.number),
    ]


def test_the_previous_order_is_the_latest_of_several(first: Order, lead: Contact, announced: Announcements) -> None:
    orders = [place(lead, item("course")) for _ in range(3)]
    pay(orders[1], "49", "b")
    pay(orders[0], "49", "a")
    announced.take()
    pay(orders[2], "49", "c")
    assert conflicts(announced) == [(orders[2].number, "course", orders[1].number)]


@pytest.mark.parametrize(
    ("given_back", "expected"),
    [
        ([("10", "refund")], True),
        ([("48.99", "refund")], True),
        ([("49", "refund")], False),
        ([("40", "refund"), ("9", "refund")], False),
        ([(None, "void")], False),
    ],
)
def test_what_was_wholly_given_back_is_not_held(
    given_back: list[tuple[str | None, str]], expected: bool, first: Order, lead: Contact, announced: Announcements
) -> None:
    for amount, kind in given_back:
        refund(first, amount, kind)
    again = place(lead, item("course"))
    announced.take()
    pay(again, "49", "again")
    assert conflicts(announced) == ([(again.number, "course", first.number)] if expected else [])


@pytest.mark.parametrize("voided", [False, True])
def test_what_was_got_for_nothing_is_held_until_it_is_voided(
    voided: bool, lead: Contact, course: Product, announced: Announcements
) -> None:
    gift, again = place(lead, item("course", 1, "0")), place(lead, item("course"))
    pay(gift, "0", "gift")
    if voided:
        refund(gift, kind="void")
    announced.take()
    pay(again, "49", "again")
    assert conflicts(announced) == ([] if voided else [(again.number, "course", gift.number)])


def test_a_refund_of_one_purchase_leaves_what_another_of_the_order_paid(
    first: Order, lead: Contact, mug: Product, announced: Announcements
) -> None:
    upsell = pay(first, "12.50", "upsell", is_upsell=True, items=[item("mug")])
    refund(first, "12.50", transaction=upsell.id)
    again = place(lead, item("course"))
    announced.take()
    pay(again, "49", "again")
    assert conflicts(announced) == [(again.number, "course", first.number)]


def test_an_upsell_of_what_the_order_holds_already_conflicts_with_the_order_itself(
    first: Order, announced: Announcements
) -> None:
    pay(first, "49", "upsell", is_upsell=True, items=[item("course")])
    assert announced.names == ["transaction.approved", "product.conflict"]
    assert conflicts(announced) == [(first.number, "course", first.number)]
    heard = announced.only("product.conflict")
    assert heard.arguments["previous_order"] is heard.arguments["order"]


def test_a_further_purchase_does_not_pay_the_items_of_the_first_again(first: Order, announced: Announcements) -> None:
    pay(first, "1", "tip")
    assert announced.names == ["transaction.approved"]


def test_neither_an_open_order_nor_a_declined_purchase_gives_anything(
    lead: Contact, course: Product, announced: Announcements
) -> None:
    decline(place(lead, item("course")))
    paid = place(lead, item("course"))
    announced.take()
    pay(paid, "49", "paid")
    assert conflicts(announced) == []


def test_a_declined_purchase_of_a_product_held_is_none(first: Order, lead: Contact, announced: Announcements) -> None:
    decline(place(lead, item("course")))
    assert announced.names == ["transaction.declined"]


def test_the_customer_is_announced_before_and_a_funnel_order_stays_paid(
    lead: Contact, course: Product, funnel: object, announced: Announcements
) -> None:
    order = place(lead, item("course"), source="funnel")
    pay(order, "49", "a", items=[item("course")])
    pay(order, "49", "b", items=[item("course")])
    assert announced.names == [
        *("transaction.approved", "customer.created"),
        *("transaction.approved", "product.conflict"),
    ]
    assert stored(order).status == "paid"
