"""SIGKILL, as the kernel does when memory runs out."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.channels_app.kinds.receivers import RECEIVERS
from tests.faults.telling import prove_nothing_is_lost, unknown_attempts
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

PATHS = ("/quick", "/slow", "/moody")
EVENTS = 60


def test_workers_killed_at_random_moments_under_load_lose_nothing(tidings, receiver, chance):
    for path in PATHS:
        tidings.channels(receiver, path, "contact.created")
    workers = [tidings.worker(), tidings.worker()]
    in_flight: Counter[str] = Counter()
    with ThreadPoolExecutor(2) as shops:
        sold = [shops.submit(tidings.contact, number) for number in range(EVENTS)]
        for victims in ([0, 1], [chance.randrange(2)], [chance.randrange(2)]):
            moment = len(receiver.received) + chance.randint(10, 60)
            wait_until(lambda moment=moment: len(receiver.received) >= moment, timeout=60, interval=0.001)
            for victim in victims:
                tidings.kill(workers[victim])
            in_flight.update(tidings.in_flight())
            for victim in victims:
                workers[victim] = tidings.worker()
        for each in sold:
            each.result()
    tidings.settle()
    prove_nothing_is_lost(tidings, receiver, events=EVENTS, channels=len(PATHS) * len(RECEIVERS))
    # Sent again is at most what was in flight at a kill, as often as it was, and each of those says so.
    unknown = unknown_attempts(tidings)
    assert unknown
    assert unknown <= in_flight
