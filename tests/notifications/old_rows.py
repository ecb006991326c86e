"""What is older than the retention, and who gets in the way of forgetting it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count
from django.utils import timezone

from notifications import retention
from notifications.models import Delivery, DeliveryAttempt, Event
from tests.notifications.deliveries import make_delivery


def finished(channel, *, days: float = 31, status: str = "succeeded", deliveries: int = 1) -> Delivery:
    """One of the finished deliveries, each with an attempt, of an event that is so old."""
    done: dict[str, Any] = {"status": status, "next_attempt_at": None, "finished_at": timezone.now()}
    delivery = make_delivery(channel, **done)
    for _ in range(deliveries - 1):
        Delivery.objects.create(event=delivery.event, event_type="order.completed", channel=channel, **done)
    for each in delivery.event.deliveries.all():
        DeliveryAttempt.objects.create(delivery=each, number=1, trigger="first", outcome="succeeded")
    Event.objects.filter(pk=delivery.event_id).update(created_at=timezone.now() - timedelta(days=days))
    return delivery


def held(channel, *, days: float) -> Delivery:
    delivery = make_delivery(channel)
    Event.objects.filter(pk=delivery.event_id).update(created_at=timezone.now() - timedelta(days=days))
    return delivery


def kept() -> dict[str, tuple[int, int]]:
    """How many deliveries and attempts each event has; no attempt and no delivery is without its event."""
    events = Event.objects.annotate(
        deliveries_kept=Count("deliveries", distinct=True), attempts_kept=Count("deliveries__attempts")
    )
    found = {event.pk: (event.deliveries_kept, event.attempts_kept) for event in events}
    assert Delivery.objects.count() == sum(deliveries for deliveries, _ in found.values())
    assert DeliveryAttempt.objects.count() == sum(attempts for _, attempts in found.values())
    return found


@contextmanager
def after_each_batch(do: Callable[[], None]) -> Iterator[None]:
    """Runs `do` when a batch of events is deleted and not yet committed."""

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql == retention.PURGE:
            do()
        return result

    with connection.execute_wrapper(wrapper):
        yield


@contextmanager
def meanwhile(run: Callable[[], object]) -> Iterator[None]:
    """`run` in another thread, with a connection of its own, until the end of the block."""

    def body() -> None:
        try:
            run()
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def held_by_somebody(take: Callable[[], object]) -> Iterator[None]:
    """Another transaction has done `take` and is not over yet."""
    taken, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            take()
            taken.set()
            go_on.wait(20)

    with meanwhile(hold):
        try:
            assert taken.wait(10)
            yield
        finally:
            go_on.set()
