"""How long it takes from the commit of an event until it arrives at the receiver, when nothing else is going on."""

import random
import time
from functools import partial

from benchmarks import installation, table
from benchmarks.happening import happen
from benchmarks.receiver import Receiver

TITLE = "Latency from commit to arrival, idle"
EVENTS = 150


def run(rounds: int) -> None:
    with Receiver() as receiver:
        trials = [partial(measured, receiver, reuse) for reuse in installation.CONTENDERS.values()]
        contenders = table.measure(rounds, *trials)
    rows = [("", "p50", "p99")]
    for name, (median, late) in zip(installation.CONTENDERS, contenders, strict=True):
        rows.append((name, median.text("ms"), late.text("ms")))
    table.show(TITLE, rows)


def measured(receiver: Receiver, reuse: int | None) -> tuple[float, float]:
    """p50 and p99 in ms; `reuse` None: of Tidings, else of the baseline."""
    installation.empty()
    channels = installation.make_channels(receiver)
    dice = random.Random(1)
    with installation.contender(reuse):
        installation.warm_up(channels, usual=reuse is not None)
        receiver.arrivals()
        committed = {}
        for number in range(EVENTS):
            event_id, at = happen(channels[number % len(channels)], usual=reuse is not None)
            committed[event_id] = at
            time.sleep(dice.uniform(0.05, 0.15))
        installation.wait_until_delivered()
        waited = [1000 * (arrival.at - committed[arrival.event_id]) for arrival in receiver.arrivals()]
    assert len(waited) == EVENTS
    return table.percentile(waited, 50), table.percentile(waited, 99)
