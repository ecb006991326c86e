"""The postbacks of an order: what each channel was told, and telling it again."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from notifications.catalogue import EVENT_TYPES
from notifications.errors import Conflict
from notifications.models import Delivery
from notifications.services import retry_delivery, retry_refused_because
from orders.models import Order


@dataclass(frozen=True)
class Postback:
    """One delivery as the order's page shows it."""

    delivery: Delivery

    @property
    def label(self) -> str:
        known = EVENT_TYPES.get(self.delivery.event_type)
        return known.label if known else self.delivery.event_type

    @property
    def status(self) -> str:
        return self.delivery.shown_status

    @property
    def answer(self) -> str:
        """The answer's status code, else what the latest attempt came to, "" before the first one ended."""
        if self.delivery.status_code is not None:
            return str(self.delivery.status_code)
        return self.delivery.get_outcome_display()

    @property
    def error(self) -> str:
        return self.delivery.error if self.delivery.status == Delivery.Status.FAILED else ""

    @property
    def refused_because(self) -> str | None:
        return retry_refused_because(self.delivery)


def postbacks_of(order: Order) -> list[Postback]:
    """Newest first, in one query."""
    return [Postback(delivery) for delivery in _deliveries().filter(event__order=order)]


def retry_one(order: Order, delivery_id: str, *, by: str) -> tuple[bool, str]:
    """Retry a delivery of this order. Returns whether it is being sent, and a sentence that says so or why not.

    Raises `Http404`, also for a delivery of another order.
    """
    postback = Postback(get_object_or_404(_deliveries(), event__order=order, pk=delivery_id))
    name = f"{postback.label} to {postback.delivery.channel}"
    try:
        retry_delivery(delivery_id=delivery_id, by=by)
    except Conflict as refusal:
        return False, f"{name} was not retried. {refusal}"
    return True, f"Retry of {name}: it is being sent."


def retry_failed(orders: QuerySet[Order], *, by: str) -> tuple[int, Counter[str]]:
    """Retry every failed delivery of these orders whose event type has a manual retry, oldest first.

    Returns how many are being sent again, and how many were refused for each reason.
    """
    retryable = [event_type.key for event_type in EVENT_TYPES.values() if event_type.manual_retry]
    failed = Delivery.objects.filter(
        event__order__in=orders.order_by().values("pk"), status=Delivery.Status.FAILED, event_type__in=retryable
    )
    retried, refused = 0, Counter[str]()
    for delivery_id in list(failed.order_by("pk").values_list("pk", flat=True)):
        try:
            retry_delivery(delivery_id=delivery_id, by=by)
        except Conflict as refusal:
            refused[str(refusal)] += 1
        else:
            retried += 1
    return retried, refused


def _deliveries() -> QuerySet[Delivery]:
    return Delivery.objects.select_related("channel").order_by("-pk")
