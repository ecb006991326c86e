"""Eight processes claim at once: the caps hold over all of them."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.channels_app.kinds.receivers import RECEIVERS
from tests.faults.installation import CHANNEL_CAP, DELIVERIES
from tests.faults.telling import prove_nothing_is_lost

pytestmark = pytest.mark.slow

CLAIMERS, CHANNELS, EVENTS = 8, 2, 30
IN_FLIGHT = f"SELECT channel_id, count(*) FROM {DELIVERIES} WHERE lease_token IS NOT NULL GROUP BY channel_id"


def test_eight_claimers_at_once_keep_within_the_cap_of_each_channel(tidings, receiver):
    lock, ended = threading.Lock(), threading.Event()
    open_now, most_open = Counter(), Counter()

    def answer(request):
        with lock:
            open_now[request.path] += 1
            most_open[request.path] = max(most_open[request.path], open_now[request.path])
        ended.wait(0.2)
        with lock:
            open_now[request.path] -= 1
        return 200

    receiver.answer = answer
    for number in range(CHANNELS):
        tidings.channels(receiver, f"/{number}", "contact.created")
    for number in range(EVENTS):
        tidings.contact(number)

    most_leased = Counter()
    with ThreadPoolExecutor(1) as pool:
        claiming = pool.submit(tidings.run, "claimers", str(CLAIMERS))
        while not claiming.done():
            for channel, leases in tidings.ask(IN_FLIGHT):
                most_leased[channel] = max(most_leased[channel], leases)
    # Reached, and never passed.
    assert max(most_leased.values()) == max(most_open.values()) == CHANNEL_CAP
    told = prove_nothing_is_lost(tidings, receiver, events=EVENTS, channels=CHANNELS * len(RECEIVERS))
    assert {(each.outcomes, each.arrivals) for each in told} == {(("succeeded",), 1)}
    recorded = [int(count) for count in claiming.result().split()]
    assert sum(recorded) == EVENTS * CHANNELS * len(RECEIVERS)
    assert len([count for count in recorded if count]) >= CLAIMERS // 2
