"""How many deliveries a second go out of a backlog over 20 channels, beside what is usual with Celery."""

import time
from collections.abc import Callable

from django.db import connection
from django.db.models import Max
from django.db.models.functions import Now

from benchmarks import installation, table
from benchmarks.baseline import app as baseline_app
from benchmarks.baseline import deliver
from benchmarks.installation import make_backlog, wait_until_delivered
from benchmarks.receiver import Receiver
from channels_app.models import Channel
from notifications import doorbell
from notifications.models import Delivery

TITLE = "Throughput of a backlog over 20 channels"
# So many that each contender is at it for some seconds.
OURS, PLAIN, REUSING = 12_000, 1_200, 2_400
STATISTICS_SECONDS = 1.2


def run(rounds: int) -> None:
    _, _, reuse_max = installation.CONTENDERS.values()
    assert reuse_max is not None
    with Receiver() as receiver:
        contenders = table.measure(
            rounds,
            lambda: tidings(_fresh_channels(receiver), OURS),
            lambda: usual(_fresh_channels(receiver), PLAIN),
            lambda: usual(_fresh_channels(receiver), REUSING, reuse=reuse_max),
        )
    rows = [("", "deliveries a second", "transactions a delivery", "Tidings is faster by")]
    ours = contenders[0][0]
    for name, (rate, transactions) in zip(installation.CONTENDERS, contenders, strict=True):
        ratio = table.ratios(ours, rate).text("times") if rate is not ours else ""
        rows.append((name, rate.text(), transactions.text(), ratio))
    table.show(TITLE, rows)


def _fresh_channels(receiver: Receiver) -> list[Channel]:
    installation.empty()
    receiver.arrivals()
    return installation.make_channels(receiver)


def tidings(channels: list[Channel], count: int) -> tuple[float, float]:
    """Deliveries a second, from the moment that the backlog is let go until the last one is recorded; and the database
    transactions of each.
    """
    of_ours = Channel.objects.filter(pk__in=[channel.pk for channel in channels])
    with installation.tidings():
        installation.warm_up(channels)
        of_ours.update(paused_at=Now())
        make_backlog(channels, count)

        def let_go() -> None:
            of_ours.update(paused_at=None)
            doorbell.ring()

        return _measured(channels, count, let_go)


def usual(channels: list[Channel], count: int, reuse: int = 0) -> tuple[float, float]:
    """The same for the baseline. With `reuse`, a database connection is kept for so many tasks."""
    with installation.baseline(reuse=reuse):
        installation.warm_up(channels, usual=True)
        # Published beforehand to a queue that nobody consumes yet: publishing is not what is measured.
        for delivery_id in make_backlog(channels, count):
            deliver.apply_async((delivery_id,), queue="backlog")
        return _measured(channels, count, lambda: baseline_app.control.add_consumer("backlog"))


def _measured(channels: list[Channel], count: int, let_go: Callable[[], object]) -> tuple[float, float]:
    transactions = _transactions()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (began,) = cursor.fetchone()
    let_go()
    wait_until_delivered()
    finished = Delivery.objects.filter(channel__in=channels, finished_at__gte=began)
    assert finished.count() == count
    latest = finished.aggregate(Max("finished_at"))["finished_at__max"]
    seconds: float = (latest - began).total_seconds()
    return count / seconds, (_transactions() - transactions) / count


def _transactions() -> int:
    """How many there were in this database so far, once PostgreSQL has gathered its statistics."""
    time.sleep(STATISTICS_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
