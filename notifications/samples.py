"""A sample of each event type, for tests that people send and for the event catalogue. Made by the real payload code.

Nothing here is saved or read: the objects exist in memory only.
"""

import inspect
from copy import copy
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from notifications.catalogue import EventType
from notifications.payloads import build_body
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
    """By the names of the signals' arguments."""
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
        refunded_total=Decimal("5.00") if key == "refund.applied" else Decimal(),
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
        paid_by=Transaction(order=order, status=Transaction.Status.APPROVED),
    )
    club = Product(
        pk=2,
        sku="SAMPLE-CLUB",
        title="Sample club",
        kind=Product.Kind.SUBSCRIPTION,
        unit_price=Decimal("9.00"),
        interval=Product.Interval.MONTH,
    )
    canceled = key == "subscription.canceled"
    subscription = Subscription(
        order=order,
        contact=contact,
        product=club,
        item=OrderItem(order=order, product=club, sku=club.sku, title=club.title, kind=club.kind, quantity=1),
        status=Subscription.Status.CANCELED if canceled else Subscription.Status.ACTIVE,
        amount=Decimal("9.00"),
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
        "product": Product(sku="SAMPLE-EBOOK", title="Sample e-book", kind=Product.Kind.DIGITAL),
        "previous_order": previous,
        "subscription": subscription,
        "survey": Survey(slug="sample-survey", title="Sample survey"),
        "response": SurveyResponse(
            email=None, order=order, contact=contact, source="funnel", answers={"rating": 5}, completed_at=now
        ),
    }
