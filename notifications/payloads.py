"""What an event says: the `data` member of each event type, and the body around it.

The objects in it are those of `orders.representations`, the same that the API answers with.
"""

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from orders.models import Contact, Order, Refund, Transaction
from orders.representations import (
    ContactOut,
    OrderOut,
    RefundOut,
    SourceName,
    TimeText,
    TransactionOut,
    represent_contact,
    represent_order,
    represent_refund,
    represent_transaction,
    time_text,
)


class OrderData(BaseModel):
    """`order.completed`."""

    order: OrderOut


class ContactCreatedData(BaseModel):
    """`contact.created`. `reactivated`: the contact was known before."""

    contact: ContactOut
    reactivated: bool


class CustomerCreatedData(BaseModel):
    """`customer.created`, with the order that made the lead a customer."""

    contact: ContactOut
    order: OrderOut


class TransactionData(BaseModel):
    """`transaction.approved` and `transaction.declined`."""

    transaction: TransactionOut
    order: OrderOut


class RefundData(BaseModel):
    """`refund.applied`, with the purchase that it gives back."""

    refund: RefundOut
    transaction: TransactionOut
    order: OrderOut


def order_data(*, order: Order) -> OrderData:
    return OrderData(order=represent_order(order))


def contact_created_data(*, contact: Contact, reactivated: bool) -> ContactCreatedData:
    return ContactCreatedData(contact=represent_contact(contact), reactivated=reactivated)


def customer_created_data(*, contact: Contact, order: Order) -> CustomerCreatedData:
    return CustomerCreatedData(contact=represent_contact(contact), order=represent_order(order))


def transaction_data(*, transaction: Transaction, order: Order) -> TransactionData:
    return TransactionData(transaction=represent_transaction(transaction), order=represent_order(order))


def refund_data(*, refund: Refund, transaction: Transaction, order: Order) -> RefundData:
    return RefundData(
        refund=represent_refund(refund),
        transaction=represent_transaction(transaction),
        order=represent_order(order),
    )


class Envelope(BaseModel):
    """The body of a postback. `timestamp` is the moment of recording."""

    id: str
    type: str
    timestamp: TimeText
    source: SourceName
    data: dict[str, Any]


def build_body(*, event_id: str, event_type: str, created_at: datetime, source: SourceName, data: BaseModel) -> str:
    """The body as compact JSON text; kept as it is, so that its UTF-8 bytes never change."""
    envelope = Envelope(
        id=event_id, type=event_type, timestamp=time_text(created_at), source=source, data=data.model_dump()
    )
    return json.dumps(envelope.model_dump(), ensure_ascii=False, separators=(",", ":"))
