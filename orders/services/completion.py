"""Completing funnel orders: at the thank-you page, or after `FUNNEL_COMPLETION_SECONDS`."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from orders import signals
from orders.errors import Conflict
from orders.locks import try_lock, waited_too_long
from orders.models import Order
from orders.services.lookups import lock_order, read_again

logger = structlog.get_logger(__name__)

# Orders that another transaction has locked are skipped; this is for other locks, such as of a channel being deleted.
LOCK_TIMEOUT = "2s"
ONE_SWEEP = "orders: completing stale funnel orders"


def reach_thank_you(*, number: str) -> Order:
    """The buyer of a funnel order sees the thank-you page: complete the order if that is still to be done.

    Returns the order; once it is completed or refunded, nothing happens. Raises `Conflict` for an order of no
    funnel, and before an approved purchase (then nothing is remembered).
    """
    with transaction.atomic():
        order = lock_order(number=number)
        if order.origin != Order.Origin.FUNNEL:
            raise Conflict("Only an order of a funnel has a thank-you page.")
        if order.status == Order.Status.OPEN:
            raise Conflict("The order has no approved purchase yet.")
        if order.status == Order.Status.PAID:
            return _complete(order)
        return read_again(order)


def complete_stale_funnel_orders(*, batch: int = 500, stop: Callable[[], bool] = lambda: False) -> int:
    """Complete the funnel orders whose first approved purchase is `FUNNEL_COMPLETION_SECONDS` ago.

    Each in a transaction of its own; one that another transaction has locked is left to it or to the next sweep, and
    one that cannot be completed is logged and does not stop the others. `batch` is how many are looked up at once.
    Where another sweep runs, in any process, this one ends; so it does before the next order once `stop()` is true.
    Returns how many this call completed; each is completed, and announced, by one caller only.
    """
    stale = Order.objects.filter(
        status=Order.Status.PAID, first_paid_at__lte=Now() - timedelta(seconds=settings.FUNNEL_COMPLETION_SECONDS)
    ).order_by("first_paid_at", "pk")
    completed = 0
    page = list(stale[:batch])
    while page:
        for order in page:
            if stop():
                return completed
            try:
                completed += _complete_if_waiting(order.pk)
            except _AnotherSweep:
                return completed
            except (OperationalError, InterfaceError) as error:
                if not waited_too_long(error):
                    raise  # The database itself is at fault; the next sweep goes on.
                logger.warning("order_not_completed", order=order.number, error="Somebody holds what it needs.")
            except Exception:
                logger.exception("order_not_completed", order=order.number)
        # Go on behind the last one, so that orders which cannot be completed do not hold up the rest for ever.
        last = page[-1]
        behind = Q(first_paid_at__gt=last.first_paid_at) | Q(pk__gt=last.pk)
        page = list(stale.filter(behind, first_paid_at__gte=last.first_paid_at)[:batch])
    return completed


class _AnotherSweep(Exception):
    """Another sweep completes an order at this moment."""


def _complete_if_waiting(order_id: int) -> bool:
    """Raises `_AnotherSweep`."""
    with transaction.atomic():
        _be_the_only_sweep()
        waiting = Order.objects.select_for_update(no_key=True, skip_locked=True)
        order = waiting.filter(pk=order_id, status=Order.Status.PAID).first()
        if order is not None:
            _complete(order)
    return order is not None


def _be_the_only_sweep() -> None:
    """Until the end of the transaction. Raises `_AnotherSweep`.

    Taken anew for each order: a lock of the transaction is let go of with a lost connection or a frozen worker, needs
    no session of its own behind a pooler, and holds no order for longer than its own completion. Of two sweeps that
    meet, the one that finds the other at an order ends, so one always goes on.
    """
    if not try_lock(ONE_SWEEP, lock_timeout=LOCK_TIMEOUT):
        raise _AnotherSweep


def _complete(order: Order) -> Order:
    order.complete()
    order.save()
    order = read_again(order)
    signals.order_completed.send(sender=Order, order=order)
    return order
