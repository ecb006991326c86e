"""Two beats tick at once: each order whose buyer never came back is completed once, and announced once."""

import json
from collections import Counter

import pytest
from django.conf import settings

from demo.local import processes
from tests.channels_app.kinds.receivers import RECEIVERS
from tests.faults.installation import frozen
from tests.faults.telling import prove_nothing_is_lost
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ORDERS = 30
COMPLETION = "orders.tasks.complete_stale_funnel_orders"


def test_two_beats_complete_each_order_once(tidings, receiver):
    tidings.channels(receiver, "/quick", "order.completed")
    workers = [tidings.worker(), tidings.worker()]
    for number in range(ORDERS):
        tidings.purchase(tidings.order(number, source="funnel", funnel="spring"))
    wait_until(lambda: tidings.listeners() == 2, timeout=30)
    # Each worker is handed the message of one beat while neither can act: they set about it together.
    with frozen(workers[0]), frozen(workers[1]):
        beats = [tidings.beat(), tidings.beat()]
        wait_until(lambda: all(asked(tidings, beat) for beat in beats), timeout=60)
    wait_until(lambda: set(tidings.ask("SELECT status FROM orders_order")) == {("completed",)}, timeout=60)
    tidings.settle()
    assert processes.stop(beats) == []
    told = prove_nothing_is_lost(tidings, receiver, events=ORDERS, channels=len(RECEIVERS))
    assert {(each.outcomes, each.arrivals) for each in told} == {(("succeeded",), 1)}
    postbacks = [json.loads(arrived.body) for arrived in receiver.by_kind["postback"].received]
    completed = Counter(event["data"]["order"]["number"] for event in postbacks)
    assert completed == dict(tidings.ask("SELECT number, 1 FROM orders_order"))


def asked(tidings, beat) -> bool:
    """Whether a message of this beat that asks for the completion of orders waits in the queue."""
    waiting = tidings.broker.lrange(f"{settings.REDIS_KEY_PREFIX}{settings.CELERY_TASK_DEFAULT_QUEUE}", 0, -1)
    headers = [json.loads(message)["headers"] for message in waiting]
    return any(each["task"] == COMPLETION and each["origin"].startswith(f"gen{beat.pid}@") for each in headers)
