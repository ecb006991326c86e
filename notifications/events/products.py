"""The event types of products."""

from copy import copy
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from channels_app.transports import Notice
from notifications.events import samples
from notifications.events.base import EventType
from notifications.events.words import sections
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import named, named_order
from orders import signals
from orders.models import Contact, Order, Product
from orders.representations import ContactOut, OrderOut, ProductOut


class ProductConflictData(BaseModel):
    """`product.conflict`. `previous_order` is the latest one through which the contact holds the product."""

    contact: ContactOut
    order: OrderOut
    product: ProductOut
    previous_order: OrderOut


def _conflict(event: Occurrence) -> Notice:
    product, before = event.data.object("product"), event.data.object("previous_order")
    bought = named(product, "a product")
    return event.notice(
        title=f"{event.somebody} bought {bought} again ({event.order_name})",
        paragraphs=(
            f"{event.somebody} paid for {bought} with {event.order_name}, but has had it since {named_order(before)}.",
            "Nothing was blocked. You may want to give the money back, or to offer something else instead.",
        ),
        sections=(
            sections.product(product),
            sections.order(event.order),
            sections.items(event.order),
            sections.earlier_order(before),
            sections.contact(event.contact),
        ),
        tone="bad",
    )


def _sample(now: datetime) -> dict[str, Any]:
    product = samples.product(Product.Kind.DIGITAL, "SAMPLE-EBOOK", "Sample e-book")
    order = samples.order(now, product)
    previous = copy(order)
    previous.number = "1000"
    return {"contact": order.contact, "order": order, "product": product, "previous_order": previous}


CONFLICT = EventType(
    key="product.conflict",
    label="Product conflicts",
    description="A customer buys a digital product that they already own.",
    signal=signals.product_conflict,
    facts={"contact": Contact, "order": Order, "product": Product, "previous_order": Order},
    data=ProductConflictData,
    sample=_sample,
    words=_conflict,
)
