"""From rows to the JSON objects."""

from typing import Any

from orders.currencies import money_text
from orders.models import (
    Contact,
    Funnel,
    Order,
    OrderItem,
    Product,
    Refund,
    Subscription,
    Survey,
    SurveyResponse,
    Transaction,
)
from orders.representations.schemas import (
    ContactOut,
    FunnelOut,
    OrderOut,
    ProductOut,
    RefundOut,
    ResponseOut,
    SubscriptionOut,
    SurveyOut,
    TransactionOut,
    time_text,
)


def represent_contact(contact: Contact) -> ContactOut:
    return ContactOut.model_validate(
        {
            "id": contact.id,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "email": contact.email,
            "phone": contact.phone,
            "status": contact.status,
            "source": contact.source,
            "tags": contact.tags,
            "billing_address": contact.billing_address,
            "shipping_address": contact.shipping_address,
            "created_at": time_text(contact.created_at),
        }
    )


def represent_funnel(funnel: Funnel) -> FunnelOut:
    return FunnelOut(id=str(funnel.pk), name=funnel.name, slug=funnel.slug)


def represent_product(product: Product) -> ProductOut:
    return ProductOut.model_validate({"sku": product.sku, "title": product.title, "kind": product.kind})


def represent_order(order: Order) -> OrderOut:
    """Needs no query for an order from `services.get_order` or from a signal."""
    return OrderOut.model_validate(
        {
            "number": order.number,
            "source": order.source,
            "origin": order.origin,
            "status": order.status,
            "currency": order.currency,
            "subtotal": money_text(order.subtotal, order.currency),
            "shipping": money_text(order.shipping, order.currency),
            "tax": money_text(order.tax, order.currency),
            "total": money_text(order.total, order.currency),
            "paid_total": money_text(order.paid_total, order.currency),
            "refunded_total": money_text(order.refunded_total, order.currency),
            "funnel": represent_funnel(order.funnel) if order.funnel else None,
            "contact": represent_contact(order.contact),
            "items": [_item(item, order.currency) for item in order.items.all()],
            "subscriptions": [
                {"id": subscription.id, "sku": subscription.item.sku, "status": subscription.status}
                for subscription in sorted(order.subscriptions.all(), key=lambda each: each.item_id)
            ],
            "shipping_address": order.shipping_address,
            "tracking": order.tracking and {**order.tracking, "url": order.tracking_url},
            "created_at": time_text(order.created_at),
            "completed_at": time_text(order.completed_at) if order.completed_at else None,
        }
    )


def represent_transaction(transaction: Transaction) -> TransactionOut:
    return TransactionOut.model_validate(
        {
            "id": transaction.id,
            "kind": transaction.kind,
            "status": transaction.status,
            "amount": money_text(transaction.amount, transaction.currency),
            "currency": transaction.currency,
            "gateway": transaction.gateway,
            "reference": transaction.reference,
            "is_upsell": transaction.is_upsell,
            "decline_code": transaction.decline_code,
            "decline_message": transaction.decline_message,
            "created_at": time_text(transaction.created_at),
        }
    )


def represent_refund(refund: Refund) -> RefundOut:
    return RefundOut.model_validate(
        {
            "id": refund.id,
            "kind": refund.kind,
            "amount": money_text(refund.amount, refund.currency),
            "currency": refund.currency,
            "reason": refund.reason,
            "created_at": time_text(refund.created_at),
        }
    )


def represent_subscription(subscription: Subscription) -> SubscriptionOut:
    """Needs no query for a subscription from a signal or from a service."""
    return SubscriptionOut.model_validate(
        {
            "id": subscription.id,
            "status": subscription.status,
            "product": {"sku": subscription.item.sku, "title": subscription.item.title},
            "amount": money_text(subscription.amount, subscription.currency),
            "currency": subscription.currency,
            "interval": subscription.interval,
            "source": subscription.source,
            "started_at": time_text(subscription.started_at),
            "canceled_at": time_text(subscription.canceled_at) if subscription.canceled_at else None,
            "cancel_reason": subscription.cancel_reason,
        }
    )


def represent_survey(survey: Survey) -> SurveyOut:
    return SurveyOut(slug=survey.slug, title=survey.title)


def represent_response(response: SurveyResponse) -> ResponseOut:
    return ResponseOut(
        id=response.id,
        email=response.email,
        answers=response.answers,
        completed_at=time_text(response.completed_at),
    )


def _item(item: OrderItem, currency: str) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "title": item.title,
        "kind": item.kind,
        "quantity": item.quantity,
        "unit_price": money_text(item.unit_price, currency),
        "total": money_text(item.total, currency),
        "is_upsell": item.is_upsell,
        "paid": item.is_paid,
    }
