from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from orders import services
from orders.models import Contact, Funnel, Order, Product, Refund
from tests.orders.shop import Announcements, counts, decline, item, pay, place, refund, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(lead: Contact, mug: Product, announced: Announcements) -> Order:
    """A completed order with one purchase of 12.50; nothing is noted of how it came about."""
    order = place(lead, item("mug"))
    pay(order)
    announced.take()
    return order


def assert_refused(
    order: Order, field: str, announced: Announcements, amount: str | None, kind: str = "refund", **members: str
) -> None:
    before, seen = counts(), stored(order)
    with pytest.raises(ValidationError) as refusal:
        refund(order, amount, kind, **members)
    assert list(refusal.value.message_dict) == [field]
    assert counts() == before
    now = stored(order)
    assert (now.status, now.refunded_total) == (seen.status, seen.refunded_total)
    assert announced.names == []


def test_a_part_is_refunded(paid: Order, announced: Announcements) -> None:
    purchase = paid.transactions.get()
    given = refund(paid, "2.50", reason="Scratched\nand chipped")

    found = Refund.objects.get()
    assert found == given
    assert found.id.startswith("ref_") and len(found.id) <= 40
    assert (found.kind, found.amount, found.currency) == ("refund", Decimal("2.50"), "USD")
    assert (found.reason, found.transaction, found.order) == ("Scratched\nand chipped", purchase, paid)
    order = stored(paid)
    assert (order.status, order.paid_total, order.refunded_total) == ("completed", Decimal("12.50"), Decimal("2.50"))
    assert order.contact.status == "customer"
    purchase.refresh_from_db()
    assert purchase.refunded_total == Decimal("2.50")
    announcement = announced.only("refund.applied")
    assert announced.names == ["refund.applied"]
    assert announcement.arguments["refund"] == given
    assert announcement.arguments["transaction"] == purchase
    assert announcement.order is not None and announcement.order["refunded_total"] == "2.50"
    assert announcement.in_transaction


def test_an_order_is_refunded_once_nothing_is_left(paid: Order, announced: Announcements) -> None:
    refund(paid, "12.49")
    assert stored(paid).status == "completed"
    refund(paid, "0.01")
    order = stored(paid)
    assert (order.status, order.refunded_total) == ("refunded", Decimal("12.50"))
    assert order.completed_at is not None
    assert order.contact.status == "customer"
    assert announced.names == ["refund.applied", "refund.applied"]
    assert announced.heard[1].order is not None and announced.heard[1].order["status"] == "refunded"


@pytest.mark.parametrize("amount", ["0", "12.51", "9999999999.99", None])
def test_a_refund_is_more_than_nothing_and_at_most_what_is_left(
    amount: str | None, paid: Order, announced: Announcements
) -> None:
    assert_refused(paid, "amount", announced, amount)


def test_what_was_refunded_is_not_refunded_again(paid: Order, announced: Announcements) -> None:
    refund(paid, "10")
    announced.take()
    assert_refused(paid, "amount", announced, "2.51")
    refund(paid, "2.50")
    announced.take()
    assert_refused(paid, "amount", announced, "0.01")


@pytest.mark.parametrize("amount", [None, "12.50"])
def test_a_void_takes_the_whole(amount: str | None, paid: Order, announced: Announcements) -> None:
    given = refund(paid, amount, kind="void")
    assert (given.kind, given.amount, given.reason) == ("void", Decimal("12.50"), "")
    order = stored(paid)
    assert (order.status, order.refunded_total) == ("refunded", Decimal("12.50"))
    assert announced.names == ["refund.applied"]


@pytest.mark.parametrize("amount", ["0", "12.49", "12.51"])
def test_a_void_of_another_amount_is_refused(amount: str, paid: Order, announced: Announcements) -> None:
    assert_refused(paid, "amount", announced, amount, kind="void")


def test_nothing_is_voided_once_a_part_was_given_back(paid: Order, announced: Announcements) -> None:
    refund(paid, "0.01")
    announced.take()
    assert_refused(paid, "kind", announced, None, kind="void")
    assert_refused(paid, "kind", announced, "12.50", kind="void")


def test_nothing_is_given_back_after_a_void(paid: Order, announced: Announcements) -> None:
    refund(paid, kind="void")
    announced.take()
    assert_refused(paid, "kind", announced, None, kind="void")
    assert_refused(paid, "amount", announced, "0.01")


def test_the_purchase_is_named_where_there_are_several(paid: Order, course: Product, announced: Announcements) -> None:
    first = paid.transactions.get()
    upsell = pay(paid, "49.00", "r2", is_upsell=True, items=[item("course")])
    announced.take()
    assert_refused(paid, "transaction", announced, "1")
    assert_refused(paid, "transaction", announced, None, kind="void")
    assert_refused(paid, "amount", announced, "12.51", transaction=first.id)

    refund(paid, transaction=upsell.id, kind="void")
    order = stored(paid)
    assert (order.status, order.refunded_total) == ("completed", Decimal("49.00"))
    refund(paid, "12.50", transaction=first.id)
    assert stored(paid).status == "refunded"
    assert [one.arguments["transaction"] for one in announced.heard] == [upsell, first]


def test_declined_purchases_do_not_make_it_ambiguous(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    decline(order)
    purchase = pay(order)
    assert refund(order, "1").transaction == purchase


def test_only_an_approved_purchase_of_this_order_can_be_given_back(
    lead: Contact, mug: Product, paid: Order, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    assert_refused(order, "transaction", announced, "1")
    declined = decline(order)
    announced.take()
    assert_refused(order, "transaction", announced, "1")
    for unknown in (declined.id, paid.transactions.get().id, "txn_01h455vb4pex5vsknk084sn02q", "nothing", ""):
        assert_refused(order, "transaction", announced, "1", transaction=unknown)


def test_a_purchase_of_nothing_is_voided_once(lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug", 1, "0"))
    pay(order, "0")
    announced.take()
    assert_refused(order, "amount", announced, "0")
    given = refund(order, kind="void")
    assert given.amount == 0
    assert stored(order).status == "refunded"
    assert announced.take() == ["refund.applied"]
    assert_refused(order, "kind", announced, None, kind="void")


def test_an_order_of_two_purchases_of_nothing_is_refunded_once_both_are_voided(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug", 1, "0"))
    first, second = pay(order, "0"), pay(order, "0", "r2")
    decline(order)
    refund(order, kind="void", transaction=second.id)
    assert stored(order).status == "completed"
    refund(order, kind="void", transaction=first.id)
    assert stored(order).status == "refunded"


def test_a_purchase_of_nothing_does_not_keep_an_order_from_being_refunded(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    paid, free = pay(order), pay(order, "0", "r2")
    refund(order, kind="void", transaction=free.id)
    assert stored(order).status == "completed"
    refund(order, "12.50", transaction=paid.id)
    assert stored(order).status == "refunded"


def test_a_funnel_order_is_refunded_before_it_completes(
    lead: Contact, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    refund(order, "5")
    assert stored(order).status == "paid"
    refund(order, "7.50")
    order = stored(order)
    assert (order.status, order.completed_at) == ("refunded", None)
    assert announced.names == ["transaction.approved", "customer.created", "refund.applied", "refund.applied"]
    assert services.reach_thank_you(number=order.number).status == "refunded"
    assert announced.names[-1] == "refund.applied"
