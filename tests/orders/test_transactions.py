from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import signals
from orders.errors import Conflict
from orders.models import Contact, Funnel, Order, Product, Transaction
from orders.services import reach_thank_you, record_transaction
from tests.orders.shop import Announcements, counts, decline, item, pay, place, refund, stored

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("source", ["shop", "admin"])
def test_the_first_approved_purchase_completes_an_order(
    source: str, lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug", 2), source=source)
    before = timezone.now() - timedelta(minutes=1)

    purchase, created = record_transaction(
        number=order.number, status="approved", amount=Decimal("25.00"), gateway="stripe", reference="r1"
    )

    assert created
    assert purchase.id.startswith("txn_") and len(purchase.id) <= 40
    found = Transaction.objects.get()
    assert (found.id, found.kind, found.status, found.amount) == (purchase.id, "purchase", "approved", Decimal("25.00"))
    assert (found.currency, found.gateway, found.reference, found.is_upsell) == ("USD", "stripe", "r1", False)
    assert (found.decline_code, found.decline_message) == (None, None)
    order = stored(order)
    assert (order.status, order.paid_total) == ("completed", Decimal("25.00"))
    assert order.completed_at is not None and before < order.completed_at < before + timedelta(minutes=2)
    assert order.contact.status == "customer"
    assert [line.paid_by for line in order.items.all()] == [purchase]
    assert announced.names == ["transaction.approved", "customer.created", "order.completed"]


def test_all_announcements_of_a_call_carry_the_same_final_order(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    purchase = pay(order)

    orders = [announcement.arguments["order"] for announcement in announced.heard]
    assert len(orders) == 3
    assert all(one is orders[0] for one in orders)
    seen = [announcement.order for announcement in announced.heard]
    assert seen[0] is not None
    assert seen == [seen[0]] * 3
    assert (seen[0]["status"], seen[0]["paid_total"]) == ("completed", "12.50")
    assert seen[0]["completed_at"] is not None
    assert seen[0]["contact"]["status"] == "customer"
    assert announced.only("transaction.approved").arguments["transaction"] is purchase
    assert announced.only("customer.created").arguments["contact"] is orders[0].contact
    assert all(announcement.in_transaction for announcement in announced.heard)


def test_the_first_approved_purchase_of_a_funnel_order_does_not_complete_it(
    lead: Contact, mug: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    order = stored(order)
    assert (order.status, order.completed_at) == ("paid", None)
    assert order.first_paid_at is not None
    assert announced.names == ["transaction.approved", "customer.created"]


@pytest.mark.parametrize("amount", ["0", "0.01", "9999999999.99"])
def test_any_approved_amount_counts(amount: str, lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug"))
    pay(order, amount)
    order = stored(order)
    assert (order.status, order.paid_total, order.contact.status) == ("completed", Decimal(amount), "customer")
    assert announced.names == ["transaction.approved", "customer.created", "order.completed"]


def test_a_declined_purchase_changes_nothing_but_is_recorded(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    purchase = decline(order, decline_code="do_not_honor", decline_message="Ask your bank.")
    assert (purchase.status, purchase.decline_code) == ("declined", "do_not_honor")
    assert purchase.decline_message == "Ask your bank."
    order = stored(order)
    assert (order.status, order.paid_total, order.contact.status) == ("open", Decimal(0), "lead")
    assert order.first_paid_at is None
    assert announced.names == ["transaction.declined"]
    announcement = announced.only("transaction.declined")
    assert announcement.arguments["transaction"] is purchase
    assert announcement.order is not None and announcement.order["status"] == "open"


def test_declined_then_approved_announces_both(lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug"))
    decline(order, reference="d1")
    decline(order, reference="d2")
    pay(order)
    assert announced.names == [
        "transaction.declined",
        "transaction.declined",
        "transaction.approved",
        "customer.created",
        "order.completed",
    ]
    assert Transaction.objects.count() == 3


def test_a_declined_upsell_adds_nothing_even_of_unknown_products(
    lead: Contact, mug: Product, course: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source="funnel")
    pay(order)
    announced.take()
    purchase = decline(order, "49.00", is_upsell=True, items=[item("course"), item("unknown")])
    assert purchase.is_upsell
    order = stored(order)
    assert (order.status, order.total, order.paid_total) == ("paid", Decimal("12.50"), Decimal("12.50"))
    assert [line.sku for line in order.items.all()] == ["mug"]
    assert announced.names == ["transaction.declined"]


def test_an_approved_upsell_adds_its_items_which_belong_to_it(
    lead: Contact, mug: Product, course: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source="funnel", shipping=Decimal("5"), tax=Decimal("1"))
    first = pay(order, "18.50")
    announced.take()
    upsell = pay(order, "80.00", "r2", is_upsell=True, items=[item("course", 2, "40")])
    order = stored(order)
    assert (order.subtotal, order.total, order.paid_total) == (Decimal("92.50"), Decimal("98.50"), Decimal("98.50"))
    assert [(line.sku, line.is_upsell, line.paid_by) for line in order.items.all()] == [
        ("mug", False, first),
        ("course", True, upsell),
    ]
    assert order.status == "paid"
    assert announced.names == ["transaction.approved"]
    seen = announced.only("transaction.approved").order
    assert seen is not None and [line["sku"] for line in seen["items"]] == ["mug", "course"]


@pytest.mark.parametrize("source", ["shop", "funnel"])
def test_an_upsell_after_completion_grows_the_order_and_does_not_complete_it_again(
    source: str, lead: Contact, mug: Product, course: Product, funnel: Funnel, announced: Announcements
) -> None:
    order = place(lead, item("mug"), source=source)
    pay(order)
    if source == "funnel":
        reach_thank_you(number=order.number)
    completed = stored(order)
    announced.take()
    pay(order, "49.00", "r2", is_upsell=True, items=[item("course")])
    order = stored(order)
    assert (order.status, order.total, order.paid_total) == ("completed", Decimal("61.50"), Decimal("61.50"))
    assert (order.completed_at, order.first_paid_at) == (completed.completed_at, completed.first_paid_at)
    assert announced.names == ["transaction.approved"]


def test_items_sent_with_the_first_purchase_belong_to_it_too(
    lead: Contact, mug: Product, course: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    decline(order, items=[item("course")])
    purchase = pay(order, "61.50", items=[item("course")])
    order = stored(order)
    assert [(line.sku, line.is_upsell, line.paid_by) for line in order.items.all()] == [
        ("mug", False, purchase),
        ("course", False, purchase),
    ]
    assert order.total == Decimal("61.50")


def test_an_approved_purchase_of_unknown_items_is_refused_whole(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    before = counts()
    with pytest.raises(ValidationError) as refusal:
        pay(order, items=[item("mug"), item("unknown")])
    assert list(refusal.value.message_dict) == ["items[1].sku"]
    assert counts() == before
    order = stored(order)
    assert (order.status, order.total, order.contact.status) == ("open", Decimal("12.50"), "lead")
    assert announced.names == []


@pytest.mark.parametrize("field", ["decline_code", "decline_message"])
def test_only_a_declined_purchase_has_a_reason(
    field: str, lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    with pytest.raises(ValidationError) as refusal:
        pay(order, **{field: "no"})
    assert list(refusal.value.message_dict) == [field]
    assert Transaction.objects.count() == 0
    assert announced.names == []


def test_a_refunded_order_takes_no_more_purchases(lead: Contact, mug: Product, announced: Announcements) -> None:
    order = place(lead, item("mug"))
    pay(order)
    refund(order, "12.50")
    announced.take()
    before = counts()
    for status in ("approved", "declined"):
        with pytest.raises(Conflict):
            pay(order, reference="r2", status=status, items=[item("mug")])
    assert counts() == before
    assert stored(order).status == "refunded"
    assert announced.names == []


@pytest.mark.parametrize("status", ["approved", "declined"])
def test_the_same_purchase_again_is_the_stored_one(
    status: str, lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    first = pay(order, status=status)
    announced.take()
    before, seen = counts(), stored(order)
    again, created = record_transaction(
        number=order.number,
        status=status,
        amount=Decimal("12.5"),
        gateway="stripe",
        reference="r1",
        items=[item("unknown")],
    )
    assert (again, created) == (first, False)
    assert counts() == before
    assert (stored(order).paid_total, stored(order).total) == (seen.paid_total, seen.total)
    assert announced.names == []


def test_the_same_purchase_again_is_compared_before_the_order_is_looked_at(
    lead: Contact, mug: Product, announced: Announcements
) -> None:
    order = place(lead, item("mug"))
    first = pay(order)
    refund(order, kind="void")
    announced.take()
    again = pay(order)
    assert again == first
    assert again.refunded_total == Decimal("12.50")
    with pytest.raises(Conflict, match=f"12.50 USD that was approved on order {order.number}"):
        pay(order, "12.51")
    assert announced.names == []


@pytest.mark.parametrize("difference", ["amount", "status", "order"])
def test_a_reference_stands_for_one_purchase_only(
    difference: str, lead: Contact, mug: Product, announced: Announcements
) -> None:
    order, other = place(lead, item("mug")), place(lead, item("mug"))
    pay(order)
    announced.take()
    before = counts()
    with pytest.raises(Conflict):
        match difference:
            case "amount":
                pay(order, "12.49")
            case "status":
                decline(order, reference="r1")
            case "order":
                pay(other)
    assert counts() == before
    assert stored(other).status == "open"
    assert announced.names == []


def test_another_gateway_may_use_the_same_reference(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))
    assert pay(order) != pay(order, gateway="paypal")
    assert stored(order).paid_total == Decimal("25.00")


def test_a_customer_is_created_once_over_all_orders(lead: Contact, mug: Product, announced: Announcements) -> None:
    orders = [place(lead, item("mug")) for _ in range(3)]
    for position, order in enumerate(orders):
        pay(order, reference=f"r{position}")
    assert announced.names.count("customer.created") == 1
    assert announced.names.count("order.completed") == 3
    customer = announced.only("customer.created")
    assert customer.order is not None and customer.order["number"] == orders[0].number
    assert customer.contact is not None and customer.contact["status"] == "customer"


def test_a_receiver_that_fails_undoes_the_purchase(lead: Contact, mug: Product) -> None:
    order = place(lead, item("mug"))

    def fail(sender: object, **arguments: object) -> None:
        raise RuntimeError("no")

    signals.order_completed.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            pay(order)
    finally:
        signals.order_completed.disconnect(fail)
    assert Transaction.objects.count() == 0
    order = stored(order)
    assert (order.status, order.paid_total, order.contact.status) == ("open", Decimal(0), "lead")


def test_a_purchase_of_an_order_with_many_items_needs_no_query_for_each(lead: Contact, mug: Product) -> None:
    few, many = place(lead, item("mug")), place(lead, *[item("mug")] * 100)
    pay(few, reference="warm")
    with CaptureQueriesContext(connection) as one:
        pay(few, reference="few", items=[item("mug")])
    pay(many, reference="warm2")
    with CaptureQueriesContext(connection) as hundred:
        pay(many, reference="many", items=[item("mug")] * 100)
    assert len(one) == len(hundred)


def test_an_order_is_never_paid_without_a_time() -> None:
    contact = Contact.objects.create(email="a@example.com", source="shop")
    for wrong in (
        {"status": "paid"},
        {"status": "completed", "first_paid_at": timezone.now()},
        {"status": "open", "completed_at": timezone.now()},
        {"status": "paid", "first_paid_at": timezone.now()},
        {"total": 1},
        {"status": "shipped"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Order.objects.create(contact=contact, source="shop", origin="shop", currency="USD", **wrong)
    assert Order.objects.count() == 0
