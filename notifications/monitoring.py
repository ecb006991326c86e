"""Is delivering going on? For `check_delivery`, `/healthz/deliveries`, `/metrics` and the banners of all pages."""

from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, QuerySet
from redis import Redis, RedisError

from notifications import stats
from notifications.models import FAILURES_BEFORE_PROBING, AlertCopy, ChannelHealth, Heartbeat
from notifications.patience import within

WORKER_SILENT_SECONDS = 60
BEAT_SILENT_SECONDS = 300
# How old the oldest due delivery may be.
LONGEST_WAIT_SECONDS = 120
BROKER_TIMEOUT_SECONDS = 2

# How many deliveries are due on channels that are neither paused nor failing, and how many are in flight.
QUEUE = """
SELECT
    count(*) FILTER (WHERE channel.paused_at IS NULL AND channel.archived_at IS NULL AND delivery.lease_token IS NULL
        AND coalesce(health.failures_in_row, 0) < %(failures)s
        AND delivery.next_attempt_at <= statement_timestamp()),
    count(*) FILTER (WHERE delivery.lease_token IS NOT NULL)
FROM notifications_delivery delivery
JOIN channels_app_channel channel ON channel.id = delivery.channel_id
LEFT JOIN notifications_channelhealth health ON health.channel_id = delivery.channel_id
WHERE delivery.status = 'pending'
"""
AGES = f"""
SELECT name, extract(epoch FROM statement_timestamp() - at) FROM notifications_heartbeat
UNION ALL SELECT 'oldest_due', seconds FROM ({stats.OLDEST_DUE}) oldest
"""  # noqa: S608


@dataclass(frozen=True)
class Condition:
    """What was seen. Ages are in seconds; None: never seen, or (`oldest_due`) nothing is due."""

    database: bool
    broker: bool
    worker_age: float | None = None
    beat_age: float | None = None
    oldest_due: float | None = None

    def problems(self, *, max_age: float) -> list[str]:
        """What is wrong, a sentence each; `max_age` is how long (seconds) a due delivery may wait."""
        found = []
        if not self.broker:
            found.append("The broker (REDIS_URL) cannot be reached.")
        if not self.database:
            return ["The database (DATABASE_URL) cannot be reached.", *found]
        if self.worker_age is None or self.worker_age > WORKER_SILENT_SECONDS:
            found.append(f"No worker has claimed for {in_words(self.worker_age)}. Is a worker running?")
        if self.beat_age is None or self.beat_age > BEAT_SILENT_SECONDS:
            found.append(f"No beat has run for {in_words(self.beat_age)}. Is beat running?")
        if self.oldest_due is not None and self.oldest_due > max_age:
            found.append(f"The oldest due delivery has waited for {in_words(self.oldest_due)}.")
        return found


@dataclass(frozen=True)
class Counts:
    """Deliveries that could be sent now and that are being sent, channels that keep failing, alerts to be sent."""

    due: int
    in_flight: int
    channels_failing: int
    alerts_waiting: int


def look() -> Condition:
    """Look at database, broker, heartbeats and queue. Never raises for what is away, and answers within seconds."""
    broker = _broker_answers()
    try:
        seen = within(ages)
    except DatabaseError:
        return Condition(database=False, broker=broker)
    return Condition(
        database=True,
        broker=broker,
        worker_age=seen.get(Heartbeat.Name.WORKER),
        beat_age=seen.get(Heartbeat.Name.BEAT),
        oldest_due=seen.get("oldest_due"),
    )


def ages() -> dict[str, float]:
    """Since how many seconds each `Heartbeat.Name` was not seen, and how long the `oldest_due` delivery has waited.

    What was never seen, or does not wait, is missing. One quick query. Raises `DatabaseError`.
    """
    with connection.cursor() as cursor:
        cursor.execute(AGES, stats.oldest_due_values())
        return {name: float(age) for name, age in cursor.fetchall()}


def count() -> Counts:
    """Count what waits: for whoever draws curves, since it takes as long as the backlog is large.

    Raises `DatabaseError` when PostgreSQL is away.
    """
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, {"failures": FAILURES_BEFORE_PROBING})
        due, in_flight = cursor.fetchone()
    return Counts(
        due=due,
        in_flight=in_flight,
        channels_failing=failing_channels().count(),
        alerts_waiting=AlertCopy.objects.filter(next_try_at__isnull=False).aggregate(Count("alert", distinct=True))[
            "alert__count"
        ],
    )


def failing_channels() -> QuerySet[ChannelHealth]:
    """The health of each channel that keeps failing, the longest first; a paused one has somebody's attention."""
    return (
        ChannelHealth.objects.filter(
            failures_in_row__gte=FAILURES_BEFORE_PROBING, channel__paused_at=None, channel__archived_at=None
        )
        .select_related("channel")
        .order_by("failing_since", "channel_id")
    )


def _broker_answers() -> bool:
    client = Redis.from_url(
        settings.REDIS_URL, socket_timeout=BROKER_TIMEOUT_SECONDS, socket_connect_timeout=BROKER_TIMEOUT_SECONDS
    )
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()


def in_words(seconds: float | None) -> str:
    """A span of time: `90 s`, `5 min`; None: never seen."""
    if seconds is None:
        return "as long as this database exists"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
