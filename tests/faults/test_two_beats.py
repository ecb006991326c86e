"""Two beats tick at once: each order whose buyer never came back is completed once, and announced once."""

import json
import shelve
from collections import Counter

import pytest

from config.local import processes
from tests.faults.installation import frozen
from tests.faults.telling import prove_nothing_is_lost
from tests.kinds.receivers import RECEIVERS
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ORDERS = 30
COMPLETION = "complete-stale-funnel-orders"


def test_two_beats_complete_each_order_once(tidings, receiver, tmp_path):
    tidings.channels(receiver, "/quick", "order.completed")
    workers = [tidings.worker(), tidings.worker()]
    for number in range(ORDERS):
        tidings.purchase(tidings.order(number, source="funnel", funnel="spring"))
    wait_until(lambda: tidings.listeners() == 2, timeout=30)
    # Each worker is handed the message of one beat while neither can act: they set about it together.
    with frozen(workers[0]), frozen(workers[1]):
        sent = pushes(tidings)
        schedules = [tmp_path / "first", tmp_path / "second"]
        beats = [tidings.beat(schedule) for schedule in schedules]
        wait_until(lambda: pushes(tidings) >= sent + 2, timeout=60)
    wait_until(lambda: set(tidings.ask("SELECT status FROM orders_order")) == {("completed",)}, timeout=60)
    tidings.settle()
    assert processes.stop(beats) == []
    assert all(runs(schedule) for schedule in schedules)
    told = prove_nothing_is_lost(tidings, receiver, events=ORDERS, channels=len(RECEIVERS))
    assert {(each.outcomes, each.arrivals) for each in told} == {(("succeeded",), 1)}
    postbacks = [json.loads(arrived.body) for arrived in receiver.by_kind["postback"].received]
    completed = Counter(event["data"]["order"]["number"] for event in postbacks)
    assert completed == dict(tidings.ask("SELECT number, 1 FROM orders_order"))


def pushes(tidings) -> int:
    """How many messages the broker has been given."""
    count: int = tidings.broker.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"]
    return count


def runs(schedule) -> int:
    """How often this beat has asked for the completion of orders."""
    with shelve.open(str(schedule), flag="r") as kept:
        count: int = kept["entries"][COMPLETION].total_run_count
        return count
