"""The event types of subscriptions."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from channels_app.transports import Notice
from notifications.events import samples
from notifications.events.base import EventType
from notifications.events.words import sections
from notifications.events.words.occurrence import Occurrence
from notifications.events.words.phrases import named, paragraphs, reason, sentence
from orders import signals
from orders.models import Contact, Order, Product, Subscription
from orders.representations import ContactOut, OrderOut, SubscriptionOut


class SubscriptionData(BaseModel):
    """`subscription.canceled`, with the order that started it."""

    subscription: SubscriptionOut
    contact: ContactOut
    order: OrderOut


def _canceled(event: Occurrence) -> Notice:
    subscription = event.data.object("subscription")
    product, price = named(subscription.object("product"), "a product"), sections.price(subscription)
    return event.notice(
        title=f"Subscription canceled: {product} ({event.order_name})",
        paragraphs=paragraphs(
            sentence("The subscription of", event.who, "to", product, f"for {price}" if price else "", "was canceled"),
            reason(subscription.text("cancel_reason")),
        ),
        sections=(
            sections.subscription(subscription, reason=False),
            sections.contact(event.contact),
            sections.order(event.order),
        ),
        tone="bad",
    )


def _sample(now: datetime) -> dict[str, Any]:
    product = samples.product(Product.Kind.SUBSCRIPTION, "SAMPLE-CLUB", "Sample club", "9.00", Product.Interval.MONTH)
    order = samples.order(now, product)
    subscription = Subscription(
        order=order,
        contact=order.contact,
        product=product,
        item=order.items.all()[0],
        status=Subscription.Status.CANCELED,
        amount=product.unit_price,
        currency=order.currency,
        interval=Product.Interval.MONTH,
        source=order.source,
        started_at=now,
        canceled_at=now,
        cancel_reason="A sample",
    )
    samples.hold(order, subscriptions=[subscription])
    return {"subscription": subscription, "contact": order.contact, "order": order}


CANCELED = EventType(
    key="subscription.canceled",
    label="Subscription canceled",
    description="A subscription is canceled.",
    signal=signals.subscription_canceled,
    facts={"subscription": Subscription, "contact": Contact, "order": Order},
    data=SubscriptionData,
    sample=_sample,
    words=_canceled,
)
