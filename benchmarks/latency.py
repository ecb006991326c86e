"""How long it takes from the commit of an event until it arrives at the receiver, when nothing else is going on."""

import random
import time

from benchmarks import installation, table
from benchmarks.happening import happen
from benchmarks.receiver import Receiver

TITLE = "Latency from commit to arrival, idle"
EVENTS = 150


def run(rounds: int) -> None:
    with Receiver() as receiver:
        ours, plain, reusing = table.measure(
            rounds,
            lambda: measured(receiver, None),
            lambda: measured(receiver, 0),
            lambda: measured(receiver, 1000),
        )
    rows = [("", "p50", "p99")]
    for name, figures in (
        ("Tidings, two processes", ours),
        ("usual: one task a delivery", plain),
        ("the same, connection kept", reusing),
    ):
        rows.append((name, figures[0].text("ms"), figures[1].text("ms")))
    table.show(TITLE, rows)


def measured(receiver: Receiver, reuse: int | None) -> tuple[float, float]:
    """p50 and p99 in ms; `reuse` None: of Tidings, else of the baseline."""
    installation.empty()
    channels = installation.make_channels(receiver)
    dice = random.Random(1)
    started = installation.tidings() if reuse is None else installation.baseline(reuse=reuse)
    with started:
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
