"""Setting and clearing the tracking of an order."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from orders import signals
from orders.inputs import TrackingInput
from orders.models import Order
from orders.representations import time_text
from orders.services.lookups import lock_order, read_again


def set_tracking(*, number: str, tracking: TrackingInput) -> Order:
    """Say where the parcel of an order of any status is, and announce it. The same values again change nothing."""
    return _track(number, tracking.model_dump())


def clear_tracking(*, number: str) -> Order:
    """Forget where the parcel is, and announce it where something was known."""
    return _track(number, None)


def _track(number: str, tracking: dict[str, Any] | None) -> Order:
    with transaction.atomic():
        order = lock_order(number=number)
        known = order.tracking and {
            name: value for name, value in {**order.tracking, "url": order.tracking_url}.items() if name != "updated_at"
        }
        if known == tracking:
            return read_again(order)
        now = Order.objects.values_list(Now(), flat=True).get(pk=order.pk)
        order.tracking = tracking and {**tracking, "updated_at": time_text(now)}
        order.save()
        order = read_again(order)
        signals.tracking_updated.send(sender=Order, order=order)
    return order
