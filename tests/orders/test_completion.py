from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from orders import services, signals, tasks
from orders.errors import Conflict
from orders.models import Contact, Funnel, Order, Product
from tests.orders.shop import Announcements, decline, item, pay, place, refund, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(lead: Contact, mug: Product, funnel: Funnel, announced: Announcements) -> Callable[[int], Order]:
    """Makes a funnel order whose first purchase was approved so many seconds ago."""

    def make(seconds: int) -> Order:
        order = place(lead, item("mug"), source="funnel")
        pay(order, reference=f"r{order.number}")
        Order.objects.filter(pk=order.pk).update(first_paid_at=Now() - timedelta(seconds=seconds))
        announced.take()
        return stored(order)

    return make


@pytest.fixture
def failing() -> Iterator[Callable[[Order, Exception], None]]:
    """Makes the completion of an order fail in a receiver."""
    failures: dict[str, Exception] = {}

    def receive(sender: object, order: Order, **arguments: object) -> None:
        if order.number in failures:
            raise failures[order.number]

    signals.order_completed.connect(receive)
    yield lambda order, error: failures.update({order.number: error})
    signals.order_completed.disconnect(receive)


def completed(*orders: Order) -> list[bool]:
    return [stored(order).status == "completed" for order in orders]


def test_the_thank_you_page_completes_a_paid_order_once(
    waiting: Callable[[int], Order], announced: Announcements
) -> None:
    order = waiting(0)
    answer = services.reach_thank_you(number=order.number)
    assert (answer, answer.status) == (order, "completed")
    assert answer.completed_at is not None and answer.first_paid_at is not None
    assert answer.completed_at >= answer.first_paid_at
    assert announced.names == ["order.completed"]
    announcement = announced.only("order.completed")
    assert announcement.order is not None
    assert (announcement.order["status"], announcement.order["number"]) == ("completed", order.number)
    assert announcement.order["completed_at"] is not None
    assert announcement.in_transaction

    again = services.reach_thank_you(number=order.number)
    assert again.completed_at == answer.completed_at
    assert announced.names == ["order.completed"]


def test_the_thank_you_page_before_an_approved_purchase_is_not_remembered(
    lead: Contact, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source="funnel")
    decline(order)
    announced.take()
    with pytest.raises(Conflict):
        services.reach_thank_you(number=order.number)
    assert stored(order).status == "open"
    pay(order)
    assert stored(order).status == "paid"
    assert announced.names == ["transaction.approved", "customer.created"]


@pytest.mark.parametrize("source", ["shop", "admin"])
def test_only_a_funnel_has_a_thank_you_page(source: str, lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug"), source=source)
    for paid in (False, True):
        if paid:
            pay(order)
            announced.take()
        with pytest.raises(Conflict):
            services.reach_thank_you(number=order.number)
        assert announced.names == []


def test_the_sweep_completes_what_waited_half_an_hour(
    waiting: Callable[[int], Order], announced: Announcements
) -> None:
    early, due, late = waiting(1795), waiting(1800), waiting(86400)
    assert services.complete_stale_funnel_orders() == 2
    assert completed(early, due, late) == [False, True, True]
    assert [one.arguments["order"] for one in announced.heard] == [late, due]
    assert announced.names == ["order.completed"] * 2
    assert all(one.order is not None and one.order["status"] == "completed" for one in announced.heard)
    # The moment of recording, not the moment when the half hour was over.
    assert stored(late).completed_at > stored(early).first_paid_at + timedelta(seconds=1790)  # type: ignore[operator]

    assert services.complete_stale_funnel_orders() == 0
    assert len(announced.heard) == 2


def test_the_waiting_time_is_a_setting(
    waiting: Callable[[int], Order], announced: Announcements, settings: object
) -> None:
    order = waiting(60)
    settings.FUNNEL_COMPLETION_SECONDS = 90.5  # type: ignore[attr-defined]
    assert tasks.complete_stale_funnel_orders() == 0
    settings.FUNNEL_COMPLETION_SECONDS = 30.5  # type: ignore[attr-defined]
    assert tasks.complete_stale_funnel_orders() == 1
    assert completed(order) == [True]


def test_the_half_hour_counts_from_the_first_approved_purchase(
    waiting: Callable[[int], Order], announced: Announcements
) -> None:
    order = waiting(1900)
    decline(order)
    pay(order, "1", "upsell", is_upsell=True)
    announced.take()
    assert services.complete_stale_funnel_orders() == 1
    assert announced.names == ["order.completed"]


def test_the_sweep_leaves_what_is_refunded_or_not_paid(
    waiting: Callable[[int], Order], lead: Contact, mug: Product, announced: Announcements
) -> None:
    refunded, partly = waiting(4000), waiting(4000)
    refund(refunded, kind="void")
    refund(partly, "1")
    unpaid = place(lead, item("mug"), source="funnel")
    Order.objects.filter(pk=unpaid.pk).update(created_at=Now() - timedelta(days=1))
    announced.take()
    assert services.complete_stale_funnel_orders() == 1
    assert [stored(order).status for order in (refunded, partly, unpaid)] == ["refunded", "completed", "open"]
    assert announced.only("order.completed").arguments["order"] == partly


def test_one_broken_order_does_not_stop_the_others(
    waiting: Callable[[int], Order],
    failing: Callable[[Order, Exception], None],
    announced: Announcements,
) -> None:
    orders = [waiting(4000 - position) for position in range(5)]
    for broken in (orders[0], orders[1], orders[3]):
        failing(broken, RuntimeError("cannot be told"))
    # Two at a time: the first page holds nothing but broken ones.
    assert services.complete_stale_funnel_orders(batch=2) == 2
    assert completed(*orders) == [False, False, True, False, True]
    assert stored(orders[0]).completed_at is None


def test_orders_paid_at_the_same_moment_are_all_seen(
    waiting: Callable[[int], Order], failing: Callable[[Order, Exception], None], announced: Announcements
) -> None:
    orders = [waiting(4000) for _ in range(5)]
    Order.objects.update(first_paid_at=orders[0].first_paid_at)
    for broken in orders[:2]:
        failing(broken, RuntimeError("cannot be told"))
    assert services.complete_stale_funnel_orders(batch=1) == 3
    assert completed(*orders) == [False, False, True, True, True]


def test_broken_orders_are_tried_once_a_sweep_also_when_younger_ones_were_paid_earlier(
    waiting: Callable[[int], Order], failing: Callable[[Order, Exception], None], announced: Announcements
) -> None:
    orders = [waiting(3000), waiting(4000), waiting(5000)]
    for broken in orders:
        failing(broken, RuntimeError("cannot be told"))
    announced.take()
    assert services.complete_stale_funnel_orders(batch=1) == 0
    assert [one.arguments["order"] for one in announced.heard] == [orders[2], orders[1], orders[0]]


def test_an_order_completed_since_the_sweep_looked_is_not_completed_again(
    waiting: Callable[[int], Order], announced: Announcements
) -> None:
    first, second = waiting(4000), waiting(3000)

    def thank(sender: object, order: Order, **arguments: object) -> None:
        if order == first:
            services.reach_thank_you(number=second.number)

    signals.order_completed.connect(thank)
    try:
        assert services.complete_stale_funnel_orders() == 1
    finally:
        signals.order_completed.disconnect(thank)
    assert completed(first, second) == [True, True]
    assert announced.names == ["order.completed"] * 2


def test_a_sweep_that_is_told_to_end_does_so_after_the_present_order(
    waiting: Callable[[int], Order], announced: Announcements
) -> None:
    orders = [waiting(5000), waiting(4000), waiting(3000)]
    assert services.complete_stale_funnel_orders(stop=lambda: len(announced.heard) == 1) == 1
    assert completed(*orders) == [True, False, False]
    assert services.complete_stale_funnel_orders(stop=lambda: True) == 0
    assert services.complete_stale_funnel_orders() == 2


def test_a_lost_database_stops_the_sweep(
    waiting: Callable[[int], Order], failing: Callable[[Order, Exception], None], announced: Announcements
) -> None:
    first, second = waiting(4000), waiting(3000)
    failing(first, OperationalError("gone"))
    with pytest.raises(OperationalError):
        services.complete_stale_funnel_orders()
    assert completed(first, second) == [False, False]


def test_an_upsell_counts_for_the_total_that_is_announced(
    waiting: Callable[[int], Order], course: Product, announced: Announcements
) -> None:
    order = waiting(0)
    pay(order, "49.00", "upsell", is_upsell=True, items=[item("course")])
    services.reach_thank_you(number=order.number)
    seen = announced.only("order.completed").order
    assert seen is not None
    assert (Decimal(seen["total"]), Decimal(seen["paid_total"])) == (Decimal("61.50"), Decimal("61.50"))
