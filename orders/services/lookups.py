"""Finding and locking rows by what callers name them with."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet

from orders.models import Contact, Funnel, Order, Source, Subscription

_NUMBER = re.compile(r"[0-9]{1,20}")


def get_order(*, number: str) -> Order:
    """The order of this number with its contact, funnel, items and subscriptions: all that `OrderOut` reads.

    Raises `Order.DoesNotExist`, also for what cannot be a number.
    """
    return _complete(Order.objects.all()).get(**_named(number))


def read_again(order: Order) -> Order:
    """The order as it now stands in the database: one fresh instance for all who hear of a change."""
    return _complete(Order.objects.all()).get(pk=order.pk)


def lock_order(*, number: str) -> Order:
    """The order's row, locked until the transaction ends; rows that refer to it can still be inserted."""
    return Order.objects.select_for_update(no_key=True).get(**_named(number))


def find_funnel(*, source: str, slug: str | None) -> Funnel | None:
    """The funnel that a call names: with source funnel a known one, with any other source none."""
    if source != Source.FUNNEL:
        if slug is not None:
            raise ValidationError({"funnel": ["Only a call with the source funnel names a funnel."]})
        return None
    if slug is None:
        raise ValidationError({"funnel": ["A call with the source funnel names its funnel."]})
    try:
        return Funnel.objects.get(slug=slug)
    except Funnel.DoesNotExist:
        raise ValidationError({"funnel": ["There is no funnel with this slug."]}) from None


def find_contact(contact_id: str, *, field: str) -> Contact:
    """The contact that a call names by its id in `field`."""
    try:
        return Contact.objects.get(pk=contact_id)
    except Contact.DoesNotExist:
        raise ValidationError({field: ["There is no contact with this id."]}) from None


def _complete(orders: QuerySet[Order]) -> QuerySet[Order]:
    subscriptions = Subscription.objects.select_related("item").order_by("item_id")
    return orders.select_related("contact", "funnel").prefetch_related(
        "items", Prefetch("subscriptions", queryset=subscriptions)
    )


def _named(number: str) -> dict[str, Any]:
    # PostgreSQL refuses a NUL in text with an error of its own; what is not a number finds nothing either way.
    if not _NUMBER.fullmatch(number):
        raise Order.DoesNotExist("There is no order with this number.")
    return {"number": number}
