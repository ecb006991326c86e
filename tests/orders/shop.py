"""What the tests of the shop floor have in common: inputs, orders, the record of announcements, and races."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any

from django.db import connection
from django.dispatch import Signal

from orders import services, signals
from orders.inputs import ContactInput, ItemInput, TrackingInput
from orders.models import (
    Contact,
    Order,
    OrderItem,
    Quote,
    QuoteItem,
    Refund,
    Subscription,
    SurveyResponse,
    Transaction,
)
from orders.representations import ContactOut, OrderOut
from tests.waiting import wait_until

WRITTEN = (Contact, Order, OrderItem, Transaction, Refund, Subscription, SurveyResponse, Quote, QuoteItem)
NOTHING = {model.__name__: 0 for model in WRITTEN}
NO_AMOUNT = "Give an amount from 0 to 9999999999.99, like 1234.50 or 1234,50, without a currency sign."
SIGNALS = {
    "contact.created": signals.contact_created,
    "transaction.approved": signals.transaction_approved,
    "transaction.declined": signals.transaction_declined,
    "customer.created": signals.customer_created,
    "product.conflict": signals.product_conflict,
    "order.completed": signals.order_completed,
    "refund.applied": signals.refund_applied,
    "shipping.tracking_updated": signals.tracking_updated,
    "subscription.canceled": signals.subscription_canceled,
    "survey.completed": signals.survey_completed,
}


def contact_input(email: str = "ada@example.com", **members: Any) -> ContactInput:
    return ContactInput.model_validate({"email": email, "first_name": "Ada", "last_name": "Byron", **members})


def item(sku: str, quantity: int = 1, unit_price: str | None = None) -> ItemInput:
    members = {"sku": sku, "quantity": quantity}
    return ItemInput.model_validate(members if unit_price is None else {**members, "unit_price": unit_price})


def place(contact: Contact | ContactInput, *items: ItemInput, source: str = "shop", **members: Any) -> Order:
    """An open order; from a funnel, the one with the slug `spring`."""
    if source == "funnel":
        members.setdefault("funnel", "spring")
    known = contact.id if isinstance(contact, Contact) else contact
    return services.create_order(source=source, contact=known, items=items, **members)


def pay(order: Order, amount: str = "12.50", reference: str = "r1", **members: Any) -> Transaction:
    values = {"status": "approved", "gateway": "stripe", **members}
    return services.record_transaction(number=order.number, amount=Decimal(amount), reference=reference, **values)[0]


def decline(order: Order, amount: str = "12.50", reference: str = "d1", **members: Any) -> Transaction:
    return pay(order, amount, reference, status="declined", **members)


def refund(order: Order, amount: str | None = None, kind: str = "refund", **members: Any) -> Refund:
    return services.apply_refund(
        number=order.number, kind=kind, amount=None if amount is None else Decimal(amount), **members
    )


def track(order: Order, carrier: str = "UPS", number: str = "1Z999", url: str | None = None) -> Order:
    tracking = TrackingInput.model_validate({"carrier": carrier, "number": number, "url": url})
    return services.set_tracking(number=order.number, tracking=tracking)


def stored(order: Order) -> Order:
    return services.get_order(number=order.number)


def counts() -> dict[str, int]:
    """How many rows there are of what the services write."""
    return {model.__name__: model.objects.count() for model in WRITTEN}


@dataclass
class Announcement:
    name: str
    arguments: dict[str, Any]
    # As the outside would have seen them at that moment.
    order: dict[str, Any] | None
    contact: dict[str, Any] | None
    in_transaction: bool


@dataclass
class Announcements:
    """Listens to every signal from `__enter__` to `__exit__`, from whatever thread."""

    heard: list[Announcement] = field(default_factory=list)

    def __enter__(self) -> "Announcements":
        self._receivers = []
        for name, signal in SIGNALS.items():
            receiver = self._receiver(name)
            signal.connect(receiver)
            self._receivers.append((signal, receiver))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for signal, receiver in self._receivers:
            signal.disconnect(receiver)

    @property
    def names(self) -> list[str]:
        return [announcement.name for announcement in self.heard]

    def take(self) -> list[str]:
        """The names heard since the last call; they are forgotten."""
        names = self.names
        self.heard.clear()
        return names

    def only(self, name: str) -> Announcement:
        (found,) = [announcement for announcement in self.heard if announcement.name == name]
        return found

    def _receiver(self, name: str) -> Callable[..., None]:
        def receive(sender: Any, signal: Signal, **arguments: Any) -> None:
            order, contact = arguments.get("order"), arguments.get("contact")
            self.heard.append(
                Announcement(
                    name,
                    arguments,
                    order and OrderOut.model_validate(order).model_dump(),
                    contact and ContactOut.model_validate(contact).model_dump(),
                    connection.in_atomic_block,
                )
            )

        return receive


@dataclass
class Outcome:
    value: Any = None
    error: BaseException | None = None
    waited: bool = False


def race(first: Callable[[], Any], second: Callable[[], Any], *, at: Signal, undo_first: bool = False) -> list[Outcome]:
    """Run both at once: `first` up to its announcement `at`, still uncommitted, then `second`.

    `first` goes on, or is undone, once `second` waits for one of its locks (`waited`) or has ended without waiting.
    """
    announcing, go_on = threading.Event(), threading.Event()
    outcomes = [Outcome(), Outcome()]

    def run(outcome: Outcome, call: Callable[[], Any]) -> None:
        try:
            outcome.value = call()
        except BaseException as error:
            outcome.error = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(outcome, call), daemon=True)
        for outcome, call in zip(outcomes, (first, second), strict=True)
    ]

    def hold(sender: Any, **arguments: Any) -> None:
        if threading.current_thread() is threads[0]:
            announcing.set()
            assert go_on.wait(30)
            if undo_first:
                raise RuntimeError("undone")

    at.connect(hold)
    try:
        threads[0].start()
        wait_until(lambda: announcing.is_set() or not threads[0].is_alive())
        assert announcing.is_set(), outcomes[0].error
        threads[1].start()
        wait_until(lambda: not threads[1].is_alive() or _somebody_waits_for_a_lock())
        outcomes[1].waited = threads[1].is_alive()
    finally:
        go_on.set()
        at.disconnect(hold)
        for thread in threads:
            if thread.ident is not None:
                thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        row = cursor.fetchone()
    return bool(row and row[0])
