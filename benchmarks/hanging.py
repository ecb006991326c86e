"""What do 20 healthy channels notice when 200 others begin to hang at once, silent or dripping?

The healthy ones hear of 50 events a second. Then each of the others has as many deliveries to be sent at once as a
channel may have in flight, and none of them answers.
"""

from functools import partial

from benchmarks import installation, table
from benchmarks.isolation import LATE_SECONDS, phase
from benchmarks.receiver import Receiver
from notifications import doorbell

HEALTHY, HANGING, EACH = 20, 200, 8


def run(rounds: int) -> None:
    with Receiver() as receiver:
        trials = {"silent": False, "dripping": True}
        figures = table.measure(rounds, *(partial(measured, receiver, drip=drip) for drip in trials.values()))
    rows = [(f"{HEALTHY} healthy channels", "p99 before", "p99 then", "ratio", "late by 5 s")]
    for name, (before, after, late) in zip(trials, figures, strict=True):
        ratio = table.ratios(after, before).text()
        rows.append((f"{HANGING} others are {name}", before.text("ms"), after.text("ms"), ratio, late.text("%")))
    table.show(f"Isolation: {HANGING} of {HEALTHY + HANGING} channels begin to hang at once", rows)


def measured(receiver: Receiver, *, drip: bool) -> tuple[float, float, float]:
    """p99 of the healthy channels in ms before and then, and percent of them that came late then."""
    installation.empty()
    channels = installation.make_channels(receiver, HEALTHY + HANGING)
    healthy, hanging = channels[:HEALTHY], channels[HEALTHY:]
    receiver.hang()
    with installation.tidings():
        installation.warm_up(channels)
        before = phase(receiver, healthy)
        receiver.hang(*range(HEALTHY, HEALTHY + HANGING), drip=drip)
        installation.make_backlog(hanging, EACH * HANGING)
        doorbell.ring()
        after = phase(receiver, healthy)
        receiver.hang()
    late = 100 * sum(waited > LATE_SECONDS * 1000 for waited in after) / len(after)
    return table.percentile(before, 99), table.percentile(after, 99), late
