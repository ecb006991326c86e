"""What the outside sees: the JSON objects of API answers and event bodies, member for member.

Amounts are strings with two decimals, times RFC 3339 in UTC with six digits and `Z`. A member that does not
apply is null, never absent.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from orders.models import Contact, Funnel, Order, OrderItem, Product, Refund, Transaction

MoneyText = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]{2}$", examples=["49.00"])]
TimeText = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-23T18:36:00.123456Z"])]
SourceName = Literal["admin", "shop", "funnel"]
ProductKind = Literal["physical", "digital", "subscription"]


def money_text(amount: Decimal) -> str:
    return f"{amount:.2f}"


def time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class PhoneOut(BaseModel):
    """A telephone number; `country` is ISO 3166-1 alpha-2, or "" if unknown."""

    country: str
    number: str


class AddressOut(BaseModel):
    """A postal address; what is unknown is ""."""

    first_name: str
    last_name: str
    line1: str
    line2: str
    city: str
    state: str
    zip_code: str
    country: str


class ContactOut(BaseModel):
    """A person: a lead until the first approved purchase, then a customer."""

    id: str
    first_name: str
    last_name: str
    email: str
    phone: PhoneOut | None
    status: Literal["lead", "customer"]
    source: SourceName
    tags: list[str]
    billing_address: AddressOut | None
    shipping_address: AddressOut | None
    created_at: TimeText


class FunnelOut(BaseModel):
    """The sales funnel that an order comes from."""

    id: str
    name: str
    slug: str


class ProductOut(BaseModel):
    """Something sold."""

    sku: str
    title: str
    kind: ProductKind


class OrderItemOut(BaseModel):
    """One line of an order, with title, kind and price as they were when it was sold."""

    sku: str
    title: str
    kind: ProductKind
    quantity: int
    unit_price: MoneyText
    total: MoneyText
    is_upsell: bool


class SubscriptionBriefOut(BaseModel):
    """A subscription that an order started."""

    id: str
    sku: str
    status: Literal["active", "canceled"]


class TrackingOut(BaseModel):
    """Where the parcel is."""

    carrier: str
    number: str
    url: str | None
    updated_at: TimeText


class OrderOut(BaseModel):
    """An order with its contact and items. `subtotal` is the sum of the items, `total` adds shipping and tax."""

    number: str
    source: SourceName
    origin: Literal["admin", "quote", "shop", "funnel"]
    status: Literal["open", "paid", "completed", "refunded"]
    currency: str
    subtotal: MoneyText
    shipping: MoneyText
    tax: MoneyText
    total: MoneyText
    paid_total: MoneyText
    refunded_total: MoneyText
    funnel: FunnelOut | None
    contact: ContactOut
    items: list[OrderItemOut]
    subscriptions: list[SubscriptionBriefOut]
    shipping_address: AddressOut | None
    tracking: TrackingOut | None
    created_at: TimeText
    completed_at: TimeText | None


class TransactionOut(BaseModel):
    """A purchase as the payment gateway reported it."""

    id: str
    kind: Literal["purchase"]
    status: Literal["approved", "declined"]
    amount: MoneyText
    currency: str
    gateway: str
    reference: str
    is_upsell: bool
    decline_code: str | None
    decline_message: str | None
    created_at: TimeText


class RefundOut(BaseModel):
    """Money given back: a part or the rest of a purchase (refund), or the whole of it (void)."""

    id: str
    kind: Literal["refund", "void"]
    amount: MoneyText
    currency: str
    reason: str
    created_at: TimeText


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
            "subtotal": money_text(order.subtotal),
            "shipping": money_text(order.shipping),
            "tax": money_text(order.tax),
            "total": money_text(order.total),
            "paid_total": money_text(order.paid_total),
            "refunded_total": money_text(order.refunded_total),
            "funnel": represent_funnel(order.funnel) if order.funnel else None,
            "contact": represent_contact(order.contact),
            "items": [_item(item) for item in order.items.all()],
            "subscriptions": [],
            "shipping_address": order.shipping_address,
            "tracking": order.tracking,
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
            "amount": money_text(transaction.amount),
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
            "amount": money_text(refund.amount),
            "currency": refund.currency,
            "reason": refund.reason,
            "created_at": time_text(refund.created_at),
        }
    )


def _item(item: OrderItem) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "title": item.title,
        "kind": item.kind,
        "quantity": item.quantity,
        "unit_price": money_text(item.unit_price),
        "total": money_text(item.total),
        "is_upsell": item.is_upsell,
    }
