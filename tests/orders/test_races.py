"""Two calls at once, on two connections: the first is held in its announcement until the second waits for it."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Now

from orders import services, signals
from orders.errors import Conflict
from orders.models import Contact, Funnel, Order, Product, Transaction
from orders.services import completion
from tests.orders.shop import (
    Announcements,
    Outcome,
    contact_input,
    counts,
    item,
    pay,
    place,
    race,
    refund,
    stored,
)

pytestmark = pytest.mark.django_db(transaction=True)


def values(outcomes: list[Outcome]) -> list[object]:
    assert [outcome.error for outcome in outcomes] == [None, None]
    return [outcome.value for outcome in outcomes]


@pytest.fixture
def waiting(lead: Contact, mug: Product, funnel: Funnel, announced: Announcements) -> Order:
    """A paid funnel order whose half hour is over."""
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    Order.objects.update(first_paid_at=Now() - timedelta(hours=1))
    announced.take()
    return stored(order)


def test_two_thank_you_calls_complete_an_order_once(waiting: Order, announced: Announcements) -> None:
    def call() -> Order:
        return services.reach_thank_you(number=waiting.number)

    first, second = (one.value for one in race(call, call, at=signals.order_completed))
    assert (first.status, second.status) == ("completed", "completed")
    assert first.completed_at == second.completed_at == stored(waiting).completed_at
    assert announced.names == ["order.completed"]


def test_the_sweep_passes_by_an_order_that_the_thank_you_call_holds(waiting: Order, announced: Announcements) -> None:
    outcomes = race(
        lambda: services.reach_thank_you(number=waiting.number).status,
        services.complete_stale_funnel_orders,
        at=signals.order_completed,
    )
    assert values(outcomes) == ["completed", 0]
    assert not outcomes[1].waited
    assert announced.names == ["order.completed"]


def test_the_thank_you_call_waits_for_the_sweep(waiting: Order, announced: Announcements) -> None:
    outcomes = race(
        services.complete_stale_funnel_orders,
        lambda: services.reach_thank_you(number=waiting.number).status,
        at=signals.order_completed,
    )
    assert values(outcomes) == [1, "completed"]
    assert outcomes[1].waited
    assert announced.names == ["order.completed"]


def test_two_sweeps_complete_an_order_once(waiting: Order, announced: Announcements) -> None:
    sweep = services.complete_stale_funnel_orders
    outcomes = race(sweep, sweep, at=signals.order_completed)
    assert values(outcomes) == [1, 0]
    assert not outcomes[1].waited
    assert announced.names == ["order.completed"]


def test_a_sweep_leaves_everything_to_the_one_that_is_at_it(
    waiting: Order, lead: Contact, announced: Announcements
) -> None:
    """Not only the order that the other one holds: a backlog takes one thread of one worker, not all of them."""
    later = place(lead, item("mug"), source="funnel")
    pay(later, reference="r2")
    Order.objects.filter(pk=later.pk).update(first_paid_at=Now() - timedelta(minutes=40))
    announced.take()
    sweep = services.complete_stale_funnel_orders
    outcomes = race(sweep, sweep, at=signals.order_completed)
    assert values(outcomes) == [2, 0]
    assert not outcomes[1].waited
    assert [one.arguments["order"] for one in announced.heard] == [waiting, later]


@pytest.mark.slow
def test_many_sweeps_and_thank_you_calls_complete_each_order_once(
    lead: Contact, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    orders = [place(lead, item("mug"), source="funnel") for _ in range(60)]
    for order in orders:
        pay(order, reference=order.number)
    Order.objects.update(first_paid_at=Now() - timedelta(hours=1))
    announced.take()
    together = threading.Barrier(6)
    by_sweeps: list[int] = []

    def sweep() -> None:
        together.wait(30)
        by_sweeps.append(services.complete_stale_funnel_orders(batch=7))

    def thank() -> None:
        together.wait(30)
        for order in reversed(orders):
            services.reach_thank_you(number=order.number)

    with ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(closing_connections, call) for call in (sweep, sweep, sweep, sweep, thank, thank)]
    assert [call.result() for call in calls] == [None] * 6
    assert set(Order.objects.values_list("status", flat=True)) == {"completed"}
    assert Counter(one.arguments["order"].number for one in announced.heard) == {order.number: 1 for order in orders}
    assert 0 <= sum(by_sweeps) <= len(orders)


def closing_connections(call: Callable[[], object]) -> None:
    try:
        call()
    finally:
        connection.close()


def test_a_sweep_passes_by_an_order_whose_completion_has_to_wait(
    waiting: Order, lead: Contact, announced: Announcements, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds the contact that its event refers to: that order waits for the next sweep, the others do not."""
    monkeypatch.setattr(completion, "LOCK_TIMEOUT", "50ms")
    other = Contact.objects.create(source="shop", **contact_input("bob@example.com").model_dump())
    free = place(other, item("mug"), source="funnel")
    pay(free, reference="r2")
    Order.objects.filter(pk=free.pk).update(first_paid_at=Now() - timedelta(minutes=40))
    announced.take()

    def needs_the_contact(sender: object, order: Order, **arguments: object) -> None:
        Contact.objects.select_for_update().get(pk=order.contact_id)

    signals.order_completed.connect(needs_the_contact)
    try:
        with ThreadPoolExecutor(1) as thread, transaction.atomic():
            Contact.objects.select_for_update().get(pk=lead.pk)
            swept = thread.submit(closing_connections, services.complete_stale_funnel_orders)
            assert swept.exception(30) is None
    finally:
        signals.order_completed.disconnect(needs_the_contact)
    assert [stored(order).status for order in (waiting, free)] == ["paid", "completed"]
    assert services.complete_stale_funnel_orders() == 1
    # The first announcement was undone.
    assert [one.arguments["order"] for one in announced.heard] == [waiting, free, waiting]


def test_what_a_failed_thank_you_call_left_is_completed_by_the_one_that_waited(
    waiting: Order, announced: Announcements
) -> None:
    def call() -> str:
        return services.reach_thank_you(number=waiting.number).status

    first, second = race(call, call, at=signals.order_completed, undo_first=True)
    assert isinstance(first.error, RuntimeError)
    assert (second.value, second.error) == ("completed", None)
    assert stored(waiting).status == "completed"


def test_the_sweep_does_not_complete_an_order_that_is_being_refunded(waiting: Order, announced: Announcements) -> None:
    outcomes = race(
        lambda: refund(waiting, kind="void").kind, services.complete_stale_funnel_orders, at=signals.refund_applied
    )
    assert values(outcomes) == ["void", 0]
    assert not outcomes[1].waited
    assert services.complete_stale_funnel_orders() == 0
    assert stored(waiting).status == "refunded"
    assert announced.names == ["refund.applied"]


def test_the_thank_you_call_does_not_complete_an_order_that_was_refunded_meanwhile(
    waiting: Order, announced: Announcements
) -> None:
    outcomes = race(
        lambda: refund(waiting, kind="void").kind,
        lambda: services.reach_thank_you(number=waiting.number).status,
        at=signals.refund_applied,
    )
    assert values(outcomes) == ["void", "refunded"]
    assert announced.names == ["refund.applied"]


@pytest.mark.parametrize(
    ("first", "second"), [("refund", "refund"), ("refund", "void"), ("void", "void"), ("void", "refund")]
)
def test_of_two_refunds_of_the_whole_one_is_applied(
    first: str, second: str, waiting: Order, announced: Announcements
) -> None:
    one, other = race(
        lambda: refund(waiting, "12.50", first),
        lambda: refund(waiting, "12.50", second),
        at=signals.refund_applied,
    )
    assert one.error is None
    assert isinstance(other.error, ValidationError)
    assert counts()["Refund"] == 1
    order = stored(waiting)
    assert (order.status, order.refunded_total) == ("refunded", Decimal("12.50"))
    assert announced.names == ["refund.applied"]


def test_two_voids_of_a_purchase_of_nothing_are_one(lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug", 1, "0"))
    pay(order, "0")
    announced.take()
    one, other = race(lambda: refund(order, kind="void"), lambda: refund(order, kind="void"), at=signals.refund_applied)
    assert one.error is None
    assert isinstance(other.error, ValidationError)
    assert counts()["Refund"] == 1
    assert announced.names == ["refund.applied"]


def test_two_parts_refunded_at_once_both_count(waiting: Order, announced: Announcements) -> None:
    race(lambda: refund(waiting, "5"), lambda: refund(waiting, "7.50"), at=signals.refund_applied)
    order = stored(waiting)
    assert (order.status, order.refunded_total) == ("refunded", Decimal("12.50"))
    assert [one.order and one.order["refunded_total"] for one in announced.heard] == ["5.00", "12.50"]


def test_two_first_purchases_of_a_contact_make_one_customer(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    orders = [place(lead, item("mug")), place(lead, item("mug"))]
    outcomes = race(
        lambda: pay(orders[0], reference="a").status,
        lambda: pay(orders[1], reference="b").status,
        at=signals.customer_created,
    )
    assert values(outcomes) == ["approved", "approved"]
    assert announced.names.count("customer.created") == 1
    assert announced.names.count("order.completed") == 2
    customer = announced.only("customer.created").order
    assert customer is not None and customer["number"] == orders[0].number


def test_the_customer_of_an_undone_purchase_is_made_by_the_one_that_waited(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    orders = [place(lead, item("mug")), place(lead, item("mug"))]
    first, second = race(
        lambda: pay(orders[0], reference="a"),
        lambda: pay(orders[1], reference="b"),
        at=signals.transaction_approved,
        undo_first=True,
    )
    assert isinstance(first.error, RuntimeError)
    assert second.error is None
    assert announced.only("customer.created").arguments["order"] == orders[1]
    assert stored(orders[0]).status == "open"


def test_two_purchases_of_an_order_at_once_complete_it_once(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    outcomes = race(
        lambda: pay(order, reference="a").status,
        lambda: pay(order, "1", "b").status,
        at=signals.transaction_approved,
    )
    assert values(outcomes) == ["approved", "approved"]
    assert announced.names == [
        "transaction.approved",
        "customer.created",
        "order.completed",
        "transaction.approved",
    ]
    assert stored(order).paid_total == Decimal("13.50")


def test_of_two_repeats_at_once_one_is_recorded_and_both_get_it(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))

    def call() -> tuple[Transaction, bool]:
        return services.record_transaction(
            number=order.number, status="approved", amount=Decimal("12.50"), gateway="stripe", reference="r1"
        )

    (first, created), (second, again) = (one.value for one in race(call, call, at=signals.transaction_approved))
    assert first == second == Transaction.objects.get()
    assert (created, again) == (True, False)
    assert stored(order).paid_total == Decimal("12.50")
    assert announced.names == ["transaction.approved", "customer.created", "order.completed"]


@pytest.mark.parametrize("undone", [False, True])
def test_a_reference_used_on_two_orders_at_once_stands_for_the_first(
    undone: bool, lead: Contact, mug: Product, announced: Announcements
) -> None:
    orders = [place(lead, item("mug")), place(lead, item("mug"))]
    first, second = race(
        lambda: pay(orders[0]), lambda: pay(orders[1]), at=signals.transaction_approved, undo_first=undone
    )
    if undone:
        assert isinstance(first.error, RuntimeError)
        assert second.error is None
    else:
        assert first.error is None
        assert isinstance(second.error, Conflict)
    assert counts()["Transaction"] == 1
    assert [stored(order).status for order in orders] == (["open", "completed"] if undone else ["completed", "open"])


def test_two_creations_of_an_address_in_two_spellings_make_one_contact(announced: Announcements) -> None:
    outcomes = race(
        lambda: services.create_contact(source="shop", data=contact_input("ada@b\u00fccher.example")),
        lambda: services.create_contact(source="shop", data=contact_input("ada@xn--bcher-kva.example")),
        at=signals.contact_created,
    )
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert [outcome.value[1] for outcome in outcomes] == [True, False]
    assert outcomes[1].waited
    assert Contact.objects.get().email == "ada@b\u00fccher.example"


def test_two_carts_paid_at_once_start_a_subscription_once(
    lead: Contact, club: Product, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("club"), source="funnel")
    pay(order, "12.50", "up", is_upsell=True, items=[item("mug")])
    outcomes = race(lambda: pay(order, "9.00", "a"), lambda: pay(order, "9.00", "b"), at=signals.transaction_approved)
    first, _ = values(outcomes)
    assert {line.sku: line.paid_by_id for line in stored(order).items.all()}["club"] == first.pk  # type: ignore[attr-defined]
    assert len(stored(order).subscriptions.all()) == 1


def test_two_creations_of_an_email_make_one_contact(announced: Announcements) -> None:
    outcomes = race(
        lambda: services.create_contact(source="shop", data=contact_input(tags=["a"])),
        lambda: services.create_contact(source="shop", data=contact_input("ADA@example.com", tags=["b"])),
        at=signals.contact_created,
    )
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert [outcome.value[1] for outcome in outcomes] == [True, False]
    contact = Contact.objects.get()
    assert (contact.email, contact.tags) == ("ada@example.com", ["a", "b"])
    assert [one.arguments["reactivated"] for one in announced.heard] == [False, True]


def test_the_contact_of_an_undone_creation_is_made_by_the_one_that_waited(announced: Announcements) -> None:
    first, second = race(
        lambda: services.create_contact(source="shop", data=contact_input()),
        lambda: services.create_contact(source="shop", data=contact_input()),
        at=signals.contact_created,
        undo_first=True,
    )
    assert isinstance(first.error, RuntimeError)
    assert second.value == (Contact.objects.get(), True)


def test_two_reactivations_at_once_keep_the_tags_of_both(lead: Contact, announced: Announcements) -> None:
    race(
        lambda: services.create_contact(source="shop", data=contact_input(tags=["a"])),
        lambda: services.create_contact(source="shop", data=contact_input(tags=["b"])),
        at=signals.contact_created,
    )
    lead.refresh_from_db()
    assert lead.tags == ["a", "b"]
    assert [one.arguments["reactivated"] for one in announced.heard] == [True, True]


def test_staff_entering_an_email_that_a_shop_is_sending_are_refused(announced: Announcements) -> None:
    sent, entered = race(
        lambda: services.create_contact(source="shop", data=contact_input()),
        lambda: services.create_contact_by_staff(data=contact_input()),
        at=signals.contact_created,
    )
    assert sent.error is None
    assert isinstance(entered.error, ValidationError)
    assert entered.error.message_dict == {"email": ["This e-mail is known."]}
    assert counts()["Contact"] == 1
    assert announced.names == ["contact.created"]


def test_a_reactivation_does_not_undo_a_purchase_that_it_waited_for(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    outcomes = race(
        lambda: pay(order).status,
        lambda: services.create_contact(source="shop", data=contact_input(tags=["vip"]))[0].status,
        at=signals.customer_created,
    )
    assert values(outcomes) == ["approved", "customer"]
    lead.refresh_from_db()
    assert (lead.status, lead.tags) == ("customer", ["vip"])
