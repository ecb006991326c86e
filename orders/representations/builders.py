"""From rows to the JSON objects, by their types. The objects read the rows: `X.model_validate(row)` does the same."""

from orders.models import Contact, Order, Product, Refund, Subscription, Survey, SurveyResponse, Transaction
from orders.representations.schemas import (
    ContactOut,
    OrderOut,
    ProductOut,
    RefundOut,
    ResponseOut,
    SubscriptionOut,
    SurveyOut,
    TransactionOut,
)


def represent_contact(contact: Contact) -> ContactOut:
    return ContactOut.model_validate(contact)


def represent_product(product: Product) -> ProductOut:
    return ProductOut.model_validate(product)


def represent_order(order: Order) -> OrderOut:
    """Needs no query for an order from `services.get_order` or from a signal."""
    return OrderOut.model_validate(order)


def represent_transaction(transaction: Transaction) -> TransactionOut:
    return TransactionOut.model_validate(transaction)


def represent_refund(refund: Refund) -> RefundOut:
    return RefundOut.model_validate(refund)


def represent_subscription(subscription: Subscription) -> SubscriptionOut:
    """Needs no query for a subscription from a signal or from a service."""
    return SubscriptionOut.model_validate(subscription)


def represent_survey(survey: Survey) -> SurveyOut:
    return SurveyOut.model_validate(survey)


def represent_response(response: SurveyResponse) -> ResponseOut:
    return ResponseOut.model_validate(response)
