"""A sample of each event type, for tests that people send and for the event catalogue. Made by the real payload code.

Nothing here is saved or read: the objects exist in memory only.
"""

import inspect
from copy import copy
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from notifications.events import EventType
from notifications.events.payloads import build_body
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
from orders.representations import SourceName, time_text

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


SAMPLE_SOURCE: SourceName = "funnel"


def sample_body(event_type: EventType, *, event_id: str, created_at: datetime | None = None) -> str:
    """The body of a sample event, as a channel would receive it."""
    created_at = created_at or timezone.now()
    facts = _facts(event_type.key, created_at)
    wanted = inspect.signature(event_type.data).parameters
    return build_body(
        event_id=event_id,
        event_type=event_type.key,
        created_at=created_at,
        source=SAMPLE_SOURCE,
        data=event_type.data(**{name: facts[name] for name in wanted}),
    )


def _facts(key: str, now: datetime) -> dict[str, Any]:
    """By the names of the signals' arguments. As it could be: the order is as far as it is when such an event fires."""
    declined, canceled = key == "transaction.declined", key == "subscription.canceled"
    # The first purchase of a funnel's order is told before the buyer reaches the thank-you page.
    first = key == "customer.created"
    contact = Contact(
        email="ada@example.com",
        first_name="Ada",
        last_name="Byron",
        phone={"country": "GB", "number": "+44 20 7946 0000"},
        tags=["sample"],
        billing_address=ADDRESS,
        shipping_address=ADDRESS,
        status=Contact.Status.LEAD if key == "contact.created" else Contact.Status.CUSTOMER,
        source="funnel",
        created_at=now,
    )
    product = _product(key)
    order = Order(
        pk=1,
        number="1001",
        contact=contact,
        source="funnel",
        origin="funnel",
        status=Order.Status.PAID if first else Order.Status.COMPLETED,
        funnel=Funnel(pk=1, name="Sample funnel", slug="sample-funnel"),
        currency="USD",
        subtotal=product.unit_price,
        shipping=Decimal("4.90"),
        tax=Decimal("1.10"),
        total=product.unit_price + 6,
        paid_total=product.unit_price + 6,
        refunded_total=Decimal("5.00") if key == "refund.applied" else Decimal(),
        shipping_address=ADDRESS,
        created_at=now,
        first_paid_at=now,
        completed_at=None if first else now,
    )
    item = OrderItem(
        order=order,
        product=product,
        sku=product.sku,
        title=product.title,
        kind=product.kind,
        quantity=1,
        unit_price=product.unit_price,
        total=product.unit_price,
        paid_by=Transaction(order=order, status=Transaction.Status.APPROVED),
    )
    subscription = Subscription(
        order=order,
        contact=contact,
        product=product,
        item=item,
        status=Subscription.Status.CANCELED if canceled else Subscription.Status.ACTIVE,
        amount=product.unit_price,
        currency="USD",
        interval=Product.Interval.MONTH,
        source="funnel",
        started_at=now,
        canceled_at=now if canceled else None,
        cancel_reason="A sample" if canceled else None,
    )
    order._prefetched_objects_cache = {"items": [item], "subscriptions": []}  # type: ignore[attr-defined]
    previous = copy(order)
    previous.number = "1000"
    if canceled:
        order._prefetched_objects_cache["subscriptions"] = [subscription]  # type: ignore[attr-defined]
    if key == "shipping.tracking_updated":
        order.tracking = {
            "carrier": "Royal Mail",
            "number": "RM123456785GB",
            "url": "https://example.com/track/RM123456785GB",
            "updated_at": time_text(now),
        }
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
        "product": product,
        "previous_order": previous,
        "subscription": subscription,
        "survey": Survey(slug="sample-survey", title="Sample survey"),
        "response": SurveyResponse(
            email=None, order=order, contact=contact, source="funnel", answers={"rating": 5}, completed_at=now
        ),
    }


def _product(key: str) -> Product:
    """What was bought: a subscription can be canceled, and of digital products one is enough."""
    match key:
        case "subscription.canceled":
            kind, sku, title, price = Product.Kind.SUBSCRIPTION, "SAMPLE-CLUB", "Sample club", "9.00"
        case "product.conflict":
            kind, sku, title, price = Product.Kind.DIGITAL, "SAMPLE-EBOOK", "Sample e-book", "12.50"
        case _:
            kind, sku, title, price = Product.Kind.PHYSICAL, "SAMPLE-MUG", "Sample mug", "12.50"
    interval = Product.Interval.MONTH if kind == Product.Kind.SUBSCRIPTION else None
    return Product(pk=1, sku=sku, title=title, kind=kind, unit_price=Decimal(price), interval=interval)
