"""A sample of each event type, for tests that people send and for the event catalogue. Made by the real payload code.

Nothing here is saved or read: the objects exist in memory only.
"""

import inspect
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from notifications.catalogue import EventType
from notifications.payloads import build_body
from orders.models import Contact, Funnel, Order, OrderItem, Product, Refund, Transaction

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


def sample_body(event_type: EventType, *, event_id: str, created_at: datetime | None = None) -> str:
    """The body of a sample event, as a channel would receive it."""
    if event_type.data is None:
        raise LookupError(f"{event_type.key} has no payload.")
    facts = _facts(event_type.key)
    wanted = inspect.signature(event_type.data).parameters
    return build_body(
        event_id=event_id,
        event_type=event_type.key,
        created_at=created_at or timezone.now(),
        source="funnel",
        data=event_type.data(**{name: facts[name] for name in wanted}),
    )


def _facts(key: str) -> dict[str, Any]:
    """By the names of the signals' arguments."""
    now = timezone.now()
    contact = Contact(
        email="ada@example.com",
        first_name="Ada",
        last_name="Byron",
        phone={"country": "GB", "number": "+44 20 7946 0000"},
        tags=["sample"],
        billing_address=ADDRESS,
        shipping_address=ADDRESS,
        status=Contact.Status.CUSTOMER,
        source="funnel",
        created_at=now,
    )
    mug = Product(pk=1, sku="SAMPLE-MUG", title="Sample mug", kind=Product.Kind.PHYSICAL, unit_price=Decimal("12.50"))
    order = Order(
        pk=1,
        number="1001",
        contact=contact,
        source="funnel",
        origin="funnel",
        status=Order.Status.COMPLETED,
        funnel=Funnel(pk=1, name="Sample funnel", slug="sample-funnel"),
        currency="USD",
        subtotal=Decimal("12.50"),
        shipping=Decimal("4.90"),
        tax=Decimal("1.10"),
        total=Decimal("18.50"),
        paid_total=Decimal("18.50"),
        shipping_address=ADDRESS,
        created_at=now,
        first_paid_at=now,
        completed_at=now,
    )
    item = OrderItem(
        order=order,
        product=mug,
        sku=mug.sku,
        title=mug.title,
        kind=mug.kind,
        quantity=1,
        unit_price=Decimal("12.50"),
        total=Decimal("12.50"),
    )
    order._prefetched_objects_cache = {"items": [item]}  # type: ignore[attr-defined]
    declined = key == "transaction.declined"
    transaction = Transaction(
        order=order,
        status=Transaction.Status.DECLINED if declined else Transaction.Status.APPROVED,
        amount=Decimal("18.50"),
        currency="USD",
        gateway="sample",
        reference="sample-1",
        decline_code="insufficient_funds" if declined else None,
        decline_message="The card has insufficient funds." if declined else None,
        created_at=now,
    )
    refund = Refund(
        order=order,
        transaction=transaction,
        kind=Refund.Kind.REFUND,
        amount=Decimal("5.00"),
        currency="USD",
        reason="A sample",
        created_at=now,
    )
    return {
        "contact": contact,
        "order": order,
        "transaction": transaction,
        "refund": refund,
        "reactivated": False,
    }
