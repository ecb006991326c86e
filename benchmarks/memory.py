"""The memory of one worker with 500 requests in flight."""

from pathlib import Path

from benchmarks import installation, table
from benchmarks.receiver import Receiver
from notifications import doorbell
from tests.waiting import wait_until

TITLE = "Memory of one worker process"
IN_FLIGHT = 500


def run(rounds: int) -> None:
    with Receiver() as receiver:
        ((idle, busy),) = table.measure(rounds, lambda: measured(receiver))
    more = table.Figure(tuple(1024 * (b - a) / IN_FLIGHT for a, b in zip(idle.rounds, busy.rounds, strict=True)))
    table.show(
        TITLE,
        [
            ("idle", f"{IN_FLIGHT} requests in flight", "each request"),
            (idle.text("MiB"), busy.text("MiB"), more.text("KiB")),
        ],
    )


def measured(receiver: Receiver) -> tuple[float, float]:
    """Resident memory in MiB: after a warm-up, and while every slot waits for an answer."""
    installation.empty()
    channels = installation.make_channels(receiver, IN_FLIGHT)
    receiver.hang()
    settings = {"DELIVERY_CONCURRENCY": str(IN_FLIGHT), "POSTBACK_TIMEOUT_SECONDS": "60"}
    with installation.tidings(1, **settings) as (pid,):
        installation.warm_up(channels)
        idle = _resident(pid)
        receiver.hang(*range(IN_FLIGHT))
        receiver.arrivals()
        installation.make_backlog(channels, IN_FLIGHT)
        doorbell.ring()
        arrived = 0

        def all_arrived() -> bool:
            nonlocal arrived
            arrived += len(receiver.arrivals())
            return arrived == IN_FLIGHT

        wait_until(all_arrived, timeout=60)
        busy = _resident(pid)
        receiver.hang()
        installation.wait_until_delivered()
    return idle, busy


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
