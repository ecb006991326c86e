"""Is delivering going on? For `check_delivery`, `/healthz/deliveries`, `/metrics` and the banners of all pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import DatabaseError, connection
from django.db.models import QuerySet
from redis import RedisError

from notifications import waiting
from notifications.display import counted
from notifications.models import (
    FAILURES_BEFORE_PROBING,
    ChannelHealth,
    Delivery,
    DeliveryAttempt,
    Event,
    Heartbeat,
)
from notifications.patience import within
from notifications.redis_client import new_client
from notifications.waiting import Lateness

WORKER_SILENT_SECONDS = 60
BEAT_SILENT_SECONDS = 300
# How old the oldest delivery may be that could be sent now.
LONGEST_WAIT_SECONDS = 120
BROKER_TIMEOUT_SECONDS = 2

# So far what waits is counted, in all and on one channel: to count costs the same with a million rows. How much comes
# and goes is told by the counters of events and deliveries.
COUNTED_AT_MOST = 10_000
COUNTED_OF_A_CHANNEL = 1_000
# By the index delivery_due, of each channel no further than the bound, and of all together no further either: channels
# that can be sent to come first, so that what the others hold hides none of it.
_DUE = """
SELECT count(*) AS due, count(*) FILTER (WHERE sendable) AS sendable FROM (
    SELECT channel.sendable FROM (
        SELECT channel.id, channel.paused_at IS NULL AND coalesce(health.failures_in_row, 0) < %(failures)s AS sendable
        FROM channels_app_channel channel
        LEFT JOIN notifications_channelhealth health ON health.channel_id = channel.id
        WHERE channel.archived_at IS NULL
        ORDER BY sendable DESC
    ) channel
    CROSS JOIN LATERAL (
        SELECT FROM notifications_delivery
        WHERE channel_id = channel.id AND status = 'pending' AND lease_token IS NULL AND NOT is_alert
            AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT %(bound)s
    ) due
    LIMIT %(bound)s
) counted
"""
_IS_FAILING = "paused_at IS NULL AND health.failures_in_row >= %(failures)s"
# In flight no more than all processes have room for, by the index delivery_leased; alerts by delivery_alert_due.
COUNT = f"""
SELECT counted.due, counted.sendable,
    (SELECT count(*) FROM notifications_delivery delivery JOIN channels_app_channel channel
        ON channel.id = delivery.channel_id AND channel.archived_at IS NULL
        WHERE delivery.lease_token IS NOT NULL AND NOT delivery.is_alert),
    (SELECT count(*) FROM channels_app_channel channel
        JOIN notifications_channelhealth health ON health.channel_id = channel.id
        WHERE channel.archived_at IS NULL AND {_IS_FAILING}),
    (SELECT count(DISTINCT event_id) FROM (
        SELECT event_id FROM notifications_delivery WHERE status = 'pending' AND is_alert LIMIT %(bound)s) alert),
    (SELECT extract(epoch FROM statement_timestamp() - created_at)::float FROM notifications_alert
        ORDER BY id DESC LIMIT 1)
FROM ({_DUE}) counted
"""  # noqa: S608 (made of constants)
COUNT_OF_CHANNELS = """
SELECT wanted.id, due.number FROM unnest(%(channels)s::text[]) AS wanted(id)
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT FROM notifications_delivery
        WHERE channel_id = wanted.id AND status = 'pending' AND lease_token IS NULL AND NOT is_alert
            AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT %(bound)s) counted
) due
"""
# What PostgreSQL itself keeps count of, so nothing is read for it.
ROWS = """
SELECT name, pg_stat_get_live_tuples(to_regclass(name)), pg_stat_get_dead_tuples(to_regclass(name))
FROM unnest(%s::text[]) AS counted(name)
"""
COUNTED_TABLES = tuple(model._meta.db_table for model in (Event, Delivery, DeliveryAttempt))
AGES = f"""
SELECT name, '', '', extract(epoch FROM statement_timestamp() - at)::float, 0, 'seen', 0 FROM notifications_heartbeat
UNION ALL ({waiting.WORST})
"""  # noqa: S608


@dataclass(frozen=True)
class Condition:
    """Ages are in seconds; None: never seen, or (`oldest_due`, `oldest_sendable`) nothing is due.

    `oldest_due` is the age of the oldest delivery that is due, whatever it waits for, `oldest_sendable` of the oldest
    that could be sent now. `lateness` says for whom the others wait.
    """

    database: bool
    broker: bool
    worker_age: float | None = None
    beat_age: float | None = None
    purge_age: float | None = None
    oldest_due: float | None = None
    oldest_sendable: float | None = None
    lateness: Lateness = field(default_factory=Lateness)

    def problems(self, *, max_age: float) -> list[str]:
        """The problems, a sentence each; `max_age` is how long (seconds) a delivery may wait that could be sent now.

        What waits for a channel is nothing that the workers could mend, and no problem of the whole: see `waits`.
        """
        found = []
        if not self.broker:
            found.append("The broker (REDIS_URL) cannot be reached.")
        if not self.database:
            return ["The database (DATABASE_URL) cannot be reached.", *found]
        found += [self.problem_of_workers(), self.problem_of_beat(), self.problem_of_deliveries(max_age=max_age)]
        return [sentence for sentence in found if sentence]

    def problem_of_workers(self) -> str:
        """A sentence, "" where a worker has claimed lately."""
        if self.worker_age is not None and self.worker_age <= WORKER_SILENT_SECONDS:
            return ""
        return f"No worker has claimed for {in_words(self.worker_age)}. Is a worker running?"

    def problem_of_beat(self) -> str:
        """A sentence, "" where beat has run lately."""
        if self.beat_age is not None and self.beat_age <= BEAT_SILENT_SECONDS:
            return ""
        return f"No beat has run for {in_words(self.beat_age)}. Is beat running?"

    def problem_of_deliveries(self, *, max_age: float) -> str:
        """A sentence, "" where none waits for longer than `max_age` seconds that could be sent now."""
        if self.oldest_sendable is None or self.oldest_sendable <= max_age:
            return ""
        return f"The oldest due delivery has waited for {in_words(self.oldest_sendable)}."

    def waits(self) -> list[str]:
        """A sentence for each channel that keeps deliveries waiting, that of the oldest first."""
        found = [
            f"A delivery to {each.channel} has waited for {in_words(each.seconds)}: the channel {each.why}."
            for each in self.lateness.waiting_for_channels
        ]
        if more := self.lateness.channels - len(self.lateness.worst):
            found.append(f"Deliveries to {counted(more, 'more channel')} wait, for less long.")
        return found


@dataclass(frozen=True)
class Counts:
    """Due deliveries that are not being sent, and those that are being sent; channels; alerts to be sent.

    `sendable` are those of channels that are neither paused nor failing. `due`, `sendable` and `alerts_waiting` are
    counted up to `COUNTED_AT_MOST`. `alert_age` is since when the latest alert was written (seconds; None: none is
    kept).
    """

    due: int
    sendable: int
    in_flight: int
    channels_failing: int
    alerts_waiting: int
    alert_age: float | None


def look() -> Condition:
    """Look at database, broker, heartbeats and queue. Never raises for what is away, and answers within seconds."""
    broker = _broker_answers()
    try:
        seen, late = within(_ask)
    except DatabaseError:
        return Condition(database=False, broker=broker)
    return Condition(
        database=True,
        broker=broker,
        worker_age=seen.get(Heartbeat.Name.WORKER),
        beat_age=seen.get(Heartbeat.Name.BEAT),
        purge_age=seen.get(Heartbeat.Name.PURGE),
        oldest_due=late.oldest.seconds if late.oldest else None,
        oldest_sendable=late.oldest_sendable.sendable_seconds if late.oldest_sendable else None,
        lateness=late,
    )


def ages() -> dict[str, float]:
    """Since how many seconds each `Heartbeat.Name` was not seen, and how long the `oldest_sendable` delivery waits.

    What was never seen, or does not wait, is missing. One quick query. Raises `DatabaseError`.
    """
    seen, late = _ask()
    return seen | ({"oldest_sendable": late.oldest_sendable.sendable_seconds} if late.oldest_sendable else {})


def _ask() -> tuple[dict[str, float], Lateness]:
    with connection.cursor() as cursor:
        cursor.execute(AGES, waiting.values())
        rows = cursor.fetchall()
    seen = {row[0]: float(row[3]) for row in rows if row[5] == "seen"}
    return seen, waiting.lateness_of([row for row in rows if row[5] != "seen"])


def count() -> Counts:
    """Count what waits, for `/metrics`, by one query whose cost is bounded. Raises `DatabaseError`."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"bound": COUNTED_AT_MOST, "failures": FAILURES_BEFORE_PROBING})
        return Counts(*cursor.fetchone())


def count_due(channel_ids: Iterable[str]) -> Mapping[str, int]:
    """How much is due on each of these channels, counted up to `COUNTED_OF_A_CHANNEL`. One query."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_OF_CHANNELS, {"channels": list(channel_ids), "bound": COUNTED_OF_A_CHANNEL})
        return dict(cursor.fetchall())


def count_rows() -> list[tuple[str, int, int]]:
    """Of each of the large tables how many rows live and are dead, as PostgreSQL estimates. One query."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS, [list(COUNTED_TABLES)])
        return list(cursor.fetchall())


def failing_channels() -> QuerySet[ChannelHealth]:
    """The health of each channel that keeps failing, the longest first; paused ones are left out."""
    return (
        ChannelHealth.objects.filter(
            failures_in_row__gte=FAILURES_BEFORE_PROBING, channel__paused_at=None, channel__archived_at=None
        )
        .select_related("channel")
        .order_by("failing_since", "channel_id")
    )


def _broker_answers() -> bool:
    try:
        with new_client(BROKER_TIMEOUT_SECONDS) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False


def in_words(seconds: float | None) -> str:
    """A span of time: `90 s`, `5 min`; None: never seen."""
    if seconds is None:
        return "as long as this database exists"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
