"""Starting subscriptions with a purchase, and cancelling them."""

from collections.abc import Sequence

from django.db import transaction

from orders import signals
from orders.models import OrderItem, Product, Subscription, Transaction
from orders.services.lookups import lock_order, read_again


def start_subscriptions(purchase: Transaction, paid: Sequence[OrderItem]) -> None:
    """Start a subscription for each line of one among `paid`, the lines that `purchase` pays.

    It costs what the line costs: unit price × quantity. In the transaction of the purchase only, with the order's
    lock held.
    """
    order = purchase.order
    Subscription.objects.bulk_create(
        Subscription(
            order=order,
            contact_id=order.contact_id,
            product_id=line.product_id,
            item=line,
            transaction=purchase,
            amount=line.total,
            currency=order.currency,
            interval=line.interval or "",
            source=order.source,
        )
        for line in paid
        if line.kind == Product.Kind.SUBSCRIPTION
    )


def cancel_subscription(*, subscription_id: str, reason: str = "") -> Subscription:
    """End a subscription now and for good, and announce it. One that is canceled stays as it is, unannounced.

    Raises `Subscription.DoesNotExist`.
    """
    with transaction.atomic():
        # The order's lock, as everywhere: what is announced then shows the latest of all its subscriptions.
        lock_order(number=Subscription.objects.select_related("order").get(pk=subscription_id).order.number)
        subscription = Subscription.objects.select_related("item", "order").get(pk=subscription_id)
        if subscription.status == Subscription.Status.CANCELED:
            return subscription
        subscription.cancel(reason=reason)
        subscription.save()
        subscription.refresh_from_db(fields=["canceled_at"])
        order = subscription.order = read_again(subscription.order)
        subscription.contact = order.contact
        signals.subscription_canceled.send(
            sender=Subscription, subscription=subscription, contact=order.contact, order=order
        )
    return subscription
