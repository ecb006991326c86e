"""Deliveries a second while somebody holds a snapshot open, as a backup does: what has been sent cannot be vacuumed."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections
from django.db.models.functions import Now

from benchmarks import installation, table
from benchmarks.receiver import Receiver
from channels_app.models import Channel
from notifications import doorbell

TITLE = "A backlog of 100,000 deliveries while a snapshot is held open"
DELIVERIES = 100_000
PARTS = 5

# Deliveries finished in each part of the backlog, and how long the part took.
PARTS_OF = """
SELECT min(finished_at), max(finished_at) FROM (
    SELECT finished_at, ntile(%(parts)s) OVER (ORDER BY finished_at) AS part
    FROM notifications_delivery WHERE finished_at > %(began)s
) finished GROUP BY part ORDER BY part
"""


def run(_rounds: int) -> None:
    with Receiver() as receiver:
        free, held = table.measure(1, lambda: measured(receiver, held=False), lambda: measured(receiver, held=True))
    parts = [f"{100 * part // PARTS} to {100 * (part + 1) // PARTS} %" for part in range(PARTS)]
    rows = [("deliveries a second", "all", *parts)]
    rows.append(("nothing held", *(figure.text() for figure in free)))
    rows.append(("a snapshot held", *(figure.text() for figure in held)))
    rows.append(("ratio", *(table.ratios(a, b).text() for a, b in zip(held, free, strict=True))))
    table.show(TITLE, rows)


def measured(receiver: Receiver, *, held: bool) -> tuple[float, ...]:
    """Deliveries a second over all, and in each fifth of the backlog."""
    installation.empty()
    channels = installation.make_channels(receiver)
    with installation.tidings():
        installation.warm_up(channels)
        Channel.objects.update(paused_at=Now())
        installation.make_backlog(channels, DELIVERIES)
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            (began,) = cursor.fetchone()
        with _snapshot(held):
            Channel.objects.update(paused_at=None)
            doorbell.ring()
            installation.wait_until_delivered()
        receiver.arrivals()
    with connection.cursor() as cursor:
        cursor.execute(PARTS_OF, {"parts": PARTS, "began": began})
        ends = [last for _, last in cursor.fetchall()]
    seconds = [(end - start).total_seconds() for start, end in zip([began, *ends], ends, strict=False)]
    return DELIVERIES / sum(seconds), *(DELIVERIES / PARTS / each for each in seconds)


@contextmanager
def _snapshot(held: bool) -> Iterator[None]:
    """A transaction on a connection of its own that has looked at the tables and does nothing more."""
    if not held:
        yield
        return
    other = connections.create_connection("default")
    try:
        other.inc_thread_sharing()
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT count(*) FROM channels_app_channel")
            yield
    finally:
        other.rollback()
        other.close()
