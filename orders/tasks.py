"""Celery tasks of orders."""

import threading

from celery import shared_task
from celery.signals import worker_shutting_down

from orders import services

_shutting_down = threading.Event()


@worker_shutting_down.connect
def _begin_nothing_more(**_: object) -> None:
    _shutting_down.set()


@shared_task(name="orders.tasks.complete_stale_funnel_orders", one_at_a_time=True)
def complete_stale_funnel_orders() -> int:
    """Complete the funnel orders whose buyer never came to the thank-you page. Safe under two beats.

    A worker that is asked to stop does so after the present order.
    """
    return services.complete_stale_funnel_orders(stop=_shutting_down.is_set)
