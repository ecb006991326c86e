"""Rows for the samples of event types: what a made-up buyer has ordered in a made-up funnel.

Nothing here is saved or read: the objects exist in memory only. As it could be: an order is as far as it is when the
event fires, and what differs from the usual is given as attributes.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from orders.models import Contact, Funnel, Order, OrderItem, Product, Subscription, Transaction
from orders.representations import SourceName

SAMPLE_SOURCE: SourceName = "funnel"
ADDRESS = {
    "first_name": "Ada",
    "last_name": "Byron",
    "line1": "12 St James's Square",
    "line2": "",
    "city": "London",
    "state": "",
    "zip_code": "SW1Y 4JH",
    "country": "GB",
}


def contact(now: datetime, **attributes: Any) -> Contact:
    """A customer."""
    usual = {
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Byron",
        "phone": {"country": "GB", "number": "+44 20 7946 0000"},
        "tags": ["sample"],
        "billing_address": ADDRESS,
        "shipping_address": ADDRESS,
        "status": Contact.Status.CUSTOMER,
        "source": SAMPLE_SOURCE,
        "created_at": now,
    }
    return Contact(**usual | attributes)


def product(
    kind: Product.Kind = Product.Kind.PHYSICAL,
    sku: str = "SAMPLE-MUG",
    title: str = "Sample mug",
    unit_price: str = "12.50",
    interval: Product.Interval | None = None,
) -> Product:
    """A product, physical and for 12.50 unless said otherwise."""
    return Product(pk=1, sku=sku, title=title, kind=kind, unit_price=Decimal(unit_price), interval=interval)


def order(now: datetime, bought: Product | None = None, **attributes: Any) -> Order:
    """A completed order of one product, paid and shipped for 6.00."""
    bought = bought or product()
    total = bought.unit_price + 6
    usual = {
        "pk": 1,
        "number": "1001",
        "source": SAMPLE_SOURCE,
        "origin": "funnel",
        "status": Order.Status.COMPLETED,
        "funnel": Funnel(pk=1, name="Sample funnel", slug="sample-funnel"),
        "currency": "USD",
        "subtotal": bought.unit_price,
        "shipping": Decimal("4.90"),
        "tax": Decimal("1.10"),
        "total": total,
        "paid_total": total,
        "refunded_total": Decimal(),
        "shipping_address": ADDRESS,
        "created_at": now,
        "first_paid_at": now,
        "completed_at": now,
    }
    made = Order(**{"contact": contact(now), **usual, **attributes})
    item = OrderItem(
        order=made,
        product=bought,
        sku=bought.sku,
        title=bought.title,
        kind=bought.kind,
        quantity=1,
        unit_price=bought.unit_price,
        total=bought.unit_price,
        paid_by=Transaction(order=made, status=Transaction.Status.APPROVED),
    )
    hold(made, items=[item], subscriptions=[])
    return made


def hold(order: Order, **rows: list[OrderItem] | list[Subscription]) -> None:
    """Have the order hold these rows, by the names of its relations, as if they had been read."""
    held = getattr(order, "_prefetched_objects_cache", {})
    order._prefetched_objects_cache = held | rows  # type: ignore[attr-defined]


def transaction(now: datetime, **attributes: Any) -> Transaction:
    """An approved purchase, of a sample order unless another is given."""
    usual = {
        "status": Transaction.Status.APPROVED,
        "amount": Decimal("18.50"),
        "currency": "USD",
        "gateway": "sample",
        "reference": "sample-1",
        "created_at": now,
    }
    return Transaction(**{"order": attributes.get("order") or order(now), **usual, **attributes})
