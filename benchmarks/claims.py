"""How many deliveries a second can be claimed and recorded by 1, 2, 4 and 8 processes that send nothing?

Claims take turns under one lock, so this is what no number of worker processes gets past.
"""

import subprocess
import sys
import time
from functools import partial

from benchmarks import installation, table
from benchmarks.receiver import Receiver

CLAIMERS = (1, 2, 4, 8)
BACKLOG = 12_000


def run(rounds: int) -> None:
    with Receiver() as receiver:
        figures = table.measure(rounds, *(partial(measured, receiver, count) for count in CLAIMERS))
    rows = [("processes", "deliveries a second")]
    rows += [(str(count), rate.text()) for count, (rate,) in zip(CLAIMERS, figures, strict=True)]
    table.show(f"Claimed and recorded of a backlog of {BACKLOG:,} over {installation.CHANNELS} channels", rows)


def measured(receiver: Receiver, count: int) -> tuple[float]:
    """Deliveries a second over all of these processes."""
    installation.empty()
    installation.make_backlog(installation.make_channels(receiver), BACKLOG)
    command = [sys.executable, "-m", "benchmarks.claimer"]
    claimers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    try:
        for each in claimers:
            assert each.stdout is not None
            each.stdout.readline()
        began = time.monotonic()
        for each in claimers:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        done = sum(int(each.stdout.readline()) for each in claimers if each.stdout is not None)
        seconds = time.monotonic() - began
    finally:
        for each in claimers:
            each.kill()
            each.communicate()
    assert done == BACKLOG
    return (BACKLOG / seconds,)
