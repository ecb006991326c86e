"""The broker away in four ways: it carries hints, so an order is neither lost nor late, and its events go out."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from celery import Celery
from django.conf import settings

from demo.local import processes
from tests.channels_app.kinds.receivers import RECEIVERS
from tests.faults.installation import DELIVERIES, Installation, frozen
from tests.faults.telling import prove_nothing_is_lost
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

EVENT_TYPES = ("contact.created", "transaction.approved", "order.completed")
ORDERS = 6
# A doorbell takes a second at most where the broker is silent; the rest is for a machine that does other things, too.
SAVED_WITHIN_SECONDS = 3


@contextmanager
def refusing(tidings: Installation) -> Iterator[None]:
    """Nobody listens; afterwards it is empty."""
    tidings.valkey.stop()
    yield
    tidings.valkey.start()


def silent(tidings: Installation) -> AbstractContextManager[None]:
    """It takes connections and bytes, and answers nothing."""
    assert tidings.valkey.child
    return frozen(tidings.valkey.child)


@contextmanager
def full(tidings: Installation) -> Iterator[None]:
    """It answers, and refuses whatever needs memory."""
    tidings.broker.config_set("maxmemory", 1)
    yield
    tidings.broker.config_set("maxmemory", 0)


def sell(tidings: Installation, number: int) -> float:
    """An order and its purchase: three events in two calls. Returns how long the slower call took."""
    started = time.monotonic()
    order = tidings.order(number)
    ordered = time.monotonic()
    tidings.purchase(order)
    return max(ordered - started, time.monotonic() - ordered)


@pytest.mark.parametrize("away", [refusing, silent, full])
def test_a_broker_that_is_away_costs_no_order_and_no_event(tidings, receiver, away):
    def arrive(orders: int) -> None:
        wait_until(lambda: len(receiver.received) == orders * len(EVENT_TYPES) * len(RECEIVERS), timeout=30)

    tidings.channels(receiver, "/quick", *EVENT_TYPES)
    first = tidings.worker()
    sell(tidings, 0)
    wait_until(lambda: tidings.listeners() == 1, timeout=30)
    with away(tidings):
        took = [sell(tidings, number) for number in range(1, ORDERS)]
        arrive(ORDERS)
        # Workers stop, without having to be killed, and start as ever.
        assert processes.stop([first]) == []
        second = tidings.worker()
        took.append(sell(tidings, ORDERS))
        arrive(ORDERS + 1)
    assert max(took) < SAVED_WITHIN_SECONDS
    sell(tidings, ORDERS + 1)
    arrive(ORDERS + 2)
    assert second.alive()
    # It listens to the broker again.
    broker = tidings.valkey.url.replace("unix://", "redis+socket://")
    prefixed = {"global_keyprefix": settings.REDIS_KEY_PREFIX}
    with Celery(broker=broker, set_as_current=False, broker_transport_options=prefixed) as another:
        another.send_task("notifications.tasks.record_beat", queue=settings.CELERY_TASK_DEFAULT_QUEUE)
    wait_until(lambda: tidings.ask("SELECT 1 FROM notifications_heartbeat WHERE name = 'beat'"), timeout=30)
    check_all_sent_once(tidings, receiver, orders=ORDERS + 2)


def test_a_broker_wiped_again_and_again_costs_no_order_and_no_event(tidings, receiver):
    tidings.channels(receiver, "/quick", *EVENT_TYPES)
    tidings.worker()
    for number in range(ORDERS):
        tidings.purchase(tidings.order(number))
        tidings.broker.flushall()
    check_all_sent_once(tidings, receiver, orders=ORDERS)


def check_all_sent_once(tidings, receiver, *, orders: int) -> None:
    tidings.settle()
    told = prove_nothing_is_lost(tidings, receiver, events=orders * len(EVENT_TYPES), channels=len(RECEIVERS))
    assert {each.outcomes for each in told} == {("succeeded",)}
    assert {each.arrivals for each in told} == {1}
    types = [event_type for (event_type,) in tidings.ask(f"SELECT event_type FROM {DELIVERIES}")]
    assert sorted(types) == sorted(EVENT_TYPES * orders * len(RECEIVERS))
