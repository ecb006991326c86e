"""What an event says: the `data` member of each event type, and the body around it.

The objects in it are those of `orders.representations`, the same that the API answers with.
"""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from orders.models import (
    Contact,
    Order,
    Product,
    Refund,
    Subscription,
    Survey,
    SurveyResponse,
    Transaction,
)
from orders.representations import (
    ContactOut,
    OrderOut,
    ProductOut,
    RefundOut,
    ResponseOut,
    SourceName,
    SubscriptionOut,
    SurveyOut,
    TimeText,
    TransactionOut,
    represent_contact,
    represent_order,
    represent_product,
    represent_refund,
    represent_response,
    represent_subscription,
    represent_survey,
    represent_transaction,
    time_text,
)


class OrderData(BaseModel):
    """`order.completed` and `shipping.tracking_updated`."""

    order: OrderOut


class ContactCreatedData(BaseModel):
    """`contact.created`. `reactivated`: the contact was known before."""

    contact: ContactOut
    reactivated: Annotated[bool, Field(description="The contact was known before.", examples=[False])]


class CustomerCreatedData(BaseModel):
    """`customer.created`, with the order that made the lead a customer."""

    contact: ContactOut
    order: OrderOut


class ProductConflictData(BaseModel):
    """`product.conflict`. `previous_order` is the latest one through which the contact holds the product."""

    contact: ContactOut
    order: OrderOut
    product: ProductOut
    previous_order: OrderOut


class TransactionData(BaseModel):
    """`transaction.approved` and `transaction.declined`."""

    transaction: TransactionOut
    order: OrderOut


class RefundData(BaseModel):
    """`refund.applied`, with the purchase that it gives back."""

    refund: RefundOut
    transaction: TransactionOut
    order: OrderOut


class SubscriptionData(BaseModel):
    """`subscription.canceled`, with the order that started it."""

    subscription: SubscriptionOut
    contact: ContactOut
    order: OrderOut


class SurveyData(BaseModel):
    """`survey.completed`. `contact` is null where the e-mail address is not known, `order` where none was named."""

    survey: SurveyOut
    response: ResponseOut
    contact: Annotated[ContactOut | None, Field(description="Who answered; null where nobody has this address.")]
    order: Annotated[OrderOut | None, Field(description="The order that was named; null where none was.")]


def order_data(*, order: Order) -> OrderData:
    return OrderData(order=represent_order(order))


def contact_created_data(*, contact: Contact, reactivated: bool) -> ContactCreatedData:
    return ContactCreatedData(contact=represent_contact(contact), reactivated=reactivated)


def customer_created_data(*, contact: Contact, order: Order) -> CustomerCreatedData:
    return CustomerCreatedData(contact=represent_contact(contact), order=represent_order(order))


def product_conflict_data(
    *, contact: Contact, order: Order, product: Product, previous_order: Order
) -> ProductConflictData:
    return ProductConflictData(
        contact=represent_contact(contact),
        order=represent_order(order),
        product=represent_product(product),
        previous_order=represent_order(previous_order),
    )


def transaction_data(*, transaction: Transaction, order: Order) -> TransactionData:
    return TransactionData(transaction=represent_transaction(transaction), order=represent_order(order))


def refund_data(*, refund: Refund, transaction: Transaction, order: Order) -> RefundData:
    return RefundData(
        refund=represent_refund(refund),
        transaction=represent_transaction(transaction),
        order=represent_order(order),
    )


def subscription_data(*, subscription: Subscription, contact: Contact, order: Order) -> SubscriptionData:
    return SubscriptionData(
        subscription=represent_subscription(subscription),
        contact=represent_contact(contact),
        order=represent_order(order),
    )


def survey_data(
    *, survey: Survey, response: SurveyResponse, contact: Contact | None, order: Order | None
) -> SurveyData:
    return SurveyData(
        survey=represent_survey(survey),
        response=represent_response(response),
        contact=represent_contact(contact) if contact else None,
        order=represent_order(order) if order else None,
    )


class Envelope(BaseModel):
    """The body of a postback. `timestamp` is the moment of recording."""

    id: Annotated[
        str,
        Field(
            description="The event's id, the same as `webhook-id` and the same on every retry.",
            examples=["evt_01kaskf4zze4t9a1t8cdhyjvb5"],
        ),
    ]
    type: Annotated[str, Field(description="The event type, by its key.")]
    timestamp: Annotated[TimeText, Field(description="When it was recorded.")]
    source: SourceName
    data: dict[str, Any]


def build_body(*, event_id: str, event_type: str, created_at: datetime, source: SourceName, data: BaseModel) -> str:
    """The body as compact JSON text; kept as it is, so that its UTF-8 bytes never change."""
    envelope = Envelope(
        id=event_id, type=event_type, timestamp=time_text(created_at), source=source, data=data.model_dump()
    )
    return json.dumps(envelope.model_dump(), ensure_ascii=False, separators=(",", ":"))
