"""Two machines, two workers each, one database: a worker and a web process are killed among 100,000 deliveries."""

import json
import random
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from queue import Empty, SimpleQueue

import pytest

from benchmarks.receiver import Receiver
from tests.production.client import person
from tests.production.installation import Installation
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

CHANNELS, EVENTS = 40, 2_500
CLIENTS = 4
PATIENCE_SECONDS = 900
# Deliveries whose attempt was never recorded, since its worker died: they may have arrived, and are sent again.
DIED_WITH_THEIR_WORKER = """
SELECT delivery.event_id, channel.url FROM notifications_deliveryattempt attempt
JOIN notifications_delivery delivery ON delivery.id = attempt.delivery_id
JOIN channels_app_channel channel ON channel.id = delivery.channel_id
WHERE attempt.outcome = 'unknown'
"""
UNSETTLED = "SELECT count(*) FROM notifications_delivery WHERE status <> 'succeeded'"


class Shop(threading.Thread):
    """One of several that make contacts until there are none left to make, each at whichever machine answers."""

    def __init__(self, machines: Sequence[Installation], numbers: "SimpleQueue[int]") -> None:
        super().__init__(daemon=True)
        self._machines, self._numbers = machines, numbers
        self.refusals: list[str] = []

    def run(self) -> None:
        while True:
            try:
                number = self._numbers.get_nowait()
            except Empty:
                return
            while not self._make(number):
                pass

    def _make(self, number: int) -> bool:
        """Whether it was answered. The key makes it safe to ask again where no answer came."""
        machine = random.choice(self._machines)
        request = urllib.request.Request(
            f"http://127.0.0.1:{machine.port}/api/v1/contacts",
            data=json.dumps({"source": "shop", **person(f"ada{number}")}).encode(),
            headers={
                "Authorization": f"Bearer {machine.key}",
                "Content-Type": "application/json",
                "Idempotency-Key": f"contact-{number}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60):
                return True
        except urllib.error.HTTPError as error:
            if error.code != 409:  # the same key is being answered still, by the one that was killed
                self.refusals.append(f"{error.code}: {error.read().decode()}")
            return error.code != 409
        except OSError:  # that machine's web process is gone
            return False


def test_nothing_is_lost_with_a_worker_and_a_web_process(install, postgres, redis):
    postgres.create("machines")
    settings = {
        "DATABASE_URL": postgres.url("machines"),
        "REDIS_URL": redis.url(6),
        "API_RATE_PER_MINUTE": "0",
        "POSTBACK_TIMEOUT_SECONDS": "5",
    }
    machines = [install(**settings), install(**settings)]
    machines[0].prepare(pages=False)
    machines[1].key = machines[0].key
    parts = [{name: machine.start(name) for name in ("gunicorn", "worker", "beat")} for machine in machines]
    seconds = [machine.start("worker") for machine in machines]
    with Receiver() as receiver, postgres.connect("machines") as connection:
        for number in range(CHANNELS):
            machines[0].attach(receiver.url(number), "contact.created")
        numbers: SimpleQueue[int] = SimpleQueue()
        for number in range(EVENTS):
            numbers.put(number)
        shops = [Shop(machines, numbers) for _ in range(CLIENTS)]
        for shop in shops:
            shop.start()

        wait_until(lambda: numbers.qsize() < EVENTS * 2 / 3, timeout=PATIENCE_SECONDS)
        for machine, child in ((machines[0], parts[0]["gunicorn"]), (machines[1], seconds[1])):
            child.kill()
            machine.forget(child)
        for shop in shops:
            shop.join(PATIENCE_SECONDS)
        wait_until(lambda: connection.execute(UNSETTLED).fetchone() == (0,), timeout=PATIENCE_SECONDS)

        arrived = Counter((each.event_id, receiver.url(each.channel)) for each in receiver.arrivals())
        explained = set(connection.execute(DIED_WITH_THEIR_WORKER).fetchall())
        events = {row[0] for row in connection.execute("SELECT id FROM notifications_event").fetchall()}
    for machine in machines:
        machine.stop(stumbling=True)

    assert [shop.refusals for shop in shops] == [[]] * CLIENTS
    assert len(events) == EVENTS
    assert set(arrived) == {(event, receiver.url(number)) for event in events for number in range(CHANNELS)}
    assert {each for each, times in arrived.items() if times > 1} <= explained
