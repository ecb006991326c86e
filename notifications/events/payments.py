"""The event types of payments."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from channels_app.transports import Notice, Section
from notifications.events import samples
from notifications.events.base import EventType
from notifications.events.words import sections
from notifications.events.words.lookups import JsonObject
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import capital, given_back, odd_sums, paragraphs, reason, sentence, titled
from orders import signals
from orders.models import Order, Refund, Transaction
from orders.representations import OrderOut, RefundOut, TransactionOut


class TransactionData(BaseModel):
    """`transaction.approved` and `transaction.declined`."""

    transaction: TransactionOut
    order: OrderOut


def _payment(transaction: JsonObject) -> str:
    return "Upsell payment" if transaction.is_true("is_upsell") else "Payment"


def _about_payment(event: Occurrence, transaction: JsonObject, became: str) -> str:
    amount, gateway = transaction.money("amount"), transaction.text("gateway")
    upsell = transaction.is_true("is_upsell")
    return sentence(
        "A payment",
        f"of {amount}" if amount else "",
        "for an upsell" if upsell else "",
        f"by {event.who} was {became}",
        f"by {gateway}" if gateway else "",
    )


def _payment_sections(event: Occurrence, transaction: JsonObject) -> tuple[Section, ...]:
    return (
        sections.payment(transaction, reason=False),
        sections.order(event.order),
        sections.items(event.order),
        sections.contact(event.contact),
    )


def _sample(now: datetime, **attributes: Any) -> dict[str, Any]:
    transaction = samples.transaction(now, **attributes)
    return {"transaction": transaction, "order": transaction.order}


def _approved(event: Occurrence) -> Notice:
    transaction = event.data.object("transaction")
    return event.notice(
        title=titled(f"{_payment(transaction)} approved for {event.order_name}", transaction.money("amount")),
        paragraphs=paragraphs(_about_payment(event, transaction, "approved"), odd_sums(event.order)),
        sections=_payment_sections(event, transaction),
        tone="good",
    )


APPROVED = EventType(
    key="transaction.approved",
    label="Approved transaction",
    description="A purchase transaction succeeds. A funnel order can cause it many times.",
    signal=signals.transaction_approved,
    facts={"transaction": Transaction, "order": Order},
    data=TransactionData,
    sample=_sample,
    words=_approved,
    manual_retry=True,
)


def _declined(event: Occurrence) -> Notice:
    """The second paragraph is the reason."""
    transaction = event.data.object("transaction")
    message, code = transaction.text("decline_message"), transaction.text("decline_code")
    why = [sentence(capital(message))] if message else []
    why += [f"Code: {code}"] if code else []
    return event.notice(
        title=titled(f"{_payment(transaction)} declined for {event.order_name}", transaction.money("amount")),
        paragraphs=(_about_payment(event, transaction, "declined"), " ".join(why) or "No reason was given."),
        sections=_payment_sections(event, transaction),
        tone="bad",
    )


def _declined_sample(now: datetime) -> dict[str, Any]:
    return _sample(
        now,
        status=Transaction.Status.DECLINED,
        decline_code="insufficient_funds",
        decline_message="The card has insufficient funds.",
    )


DECLINED = EventType(
    key="transaction.declined",
    label="Transaction declined",
    description="A purchase transaction is rejected. A funnel order can cause it many times.",
    signal=signals.transaction_declined,
    facts={"transaction": Transaction, "order": Order},
    data=TransactionData,
    sample=_declined_sample,
    words=_declined,
    manual_retry=True,
)


class RefundData(BaseModel):
    """`refund.applied`, with the purchase that it gives back."""

    refund: RefundOut
    transaction: TransactionOut
    order: OrderOut


def _refunded(event: Occurrence) -> Notice:
    refund, transaction, order = (event.data.object(name) for name in ("refund", "transaction", "order"))
    amount, paid = refund.money("amount"), transaction.money("amount")
    void = refund.text("kind") == Refund.Kind.VOID
    payment = f"payment of {paid}" if paid else "payment"
    if void:
        said = f"The {payment} by {event.who} was voided."
    elif not amount or amount == paid:
        said = f"The whole {payment} was refunded to {event.who}."
    else:
        said = f"{amount} of the {payment} was refunded to {event.who}."
    if order.text("status") == Order.Status.REFUNDED:
        said += f" All that was paid for {event.order_name} has been given back."
    elif order.amount("refunded_total"):
        said += f" {given_back(order)}"
    of = f" of {amount}" if amount else ""
    return event.notice(
        title=f"{'Void' if void else 'Refund'}{of} on {event.order_name}",
        paragraphs=paragraphs(said, reason(refund.text("reason"))),
        sections=(
            sections.refund(refund, reason=False),
            sections.payment(transaction),
            sections.order(order),
            sections.items(order),
            sections.contact(event.contact),
        ),
    )


def _refund_sample(now: datetime) -> dict[str, Any]:
    amount = Decimal("5.00")
    facts = _sample(now, order=samples.order(now, refunded_total=amount))
    refund = Refund(**facts, kind=Refund.Kind.REFUND, amount=amount, currency="USD", reason="A sample", created_at=now)
    return {"refund": refund, **facts}


REFUNDED = EventType(
    key="refund.applied",
    label="Refund applied",
    description="A refund or a void is applied.",
    signal=signals.refund_applied,
    facts={"refund": Refund, "transaction": Transaction, "order": Order},
    data=RefundData,
    sample=_refund_sample,
    words=_refunded,
    manual_retry=True,
)
