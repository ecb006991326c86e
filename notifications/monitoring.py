"""Is delivering going on? For `check_delivery`, `/readyz` and whoever watches the workers."""

from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection
from redis import Redis, RedisError

from notifications.delivery.claim import FAILURES_BEFORE_PROBING
from notifications.models import Heartbeat

WORKER_SILENT_SECONDS = 60
BEAT_SILENT_SECONDS = 300
BROKER_TIMEOUT_SECONDS = 2

# The age of the oldest due row, how many are due, and how many are in flight. A failing channel is asked less often on
# purpose, and its rows wait without anything being wrong with the delivering.
QUEUE = """
SELECT
    extract(epoch FROM statement_timestamp() - min(delivery.next_attempt_at) FILTER (WHERE due)),
    count(*) FILTER (WHERE due),
    count(*) FILTER (WHERE delivery.lease_token IS NOT NULL)
FROM notifications_delivery delivery
JOIN channels_app_channel channel ON channel.id = delivery.channel_id
LEFT JOIN notifications_channelhealth health ON health.channel_id = delivery.channel_id
CROSS JOIN LATERAL (
    SELECT channel.paused_at IS NULL AND channel.archived_at IS NULL AND delivery.lease_token IS NULL
        AND coalesce(health.failures_in_row, 0) < %(failures)s
        AND delivery.next_attempt_at <= statement_timestamp() AS due
) state
WHERE delivery.status = 'pending'
"""
HEARTBEATS = "SELECT name, extract(epoch FROM statement_timestamp() - at) FROM notifications_heartbeat"


@dataclass(frozen=True)
class Condition:
    """What was seen. Ages are in seconds; None: never seen, or (`oldest_due`) nothing is due.

    `due` counts the deliveries that could be sent now, `in_flight` those that are being sent.
    """

    database: bool
    broker: bool
    worker_age: float | None = None
    beat_age: float | None = None
    oldest_due: float | None = None
    due: int = 0
    in_flight: int = 0

    def problems(self, *, max_age: float) -> list[str]:
        """What is wrong, a sentence each; `max_age` is how long (seconds) a due delivery may wait."""
        found = []
        if not self.broker:
            found.append("The broker (REDIS_URL) cannot be reached.")
        if not self.database:
            return ["The database (DATABASE_URL) cannot be reached.", *found]
        if self.worker_age is None or self.worker_age > WORKER_SILENT_SECONDS:
            found.append(f"No worker has claimed for {_ago(self.worker_age)}. Is a worker running?")
        if self.beat_age is None or self.beat_age > BEAT_SILENT_SECONDS:
            found.append(f"No beat has run for {_ago(self.beat_age)}. Is beat running?")
        if self.oldest_due is not None and self.oldest_due > max_age:
            found.append(f"The oldest due delivery has waited for {_ago(self.oldest_due)}.")
        return found


def look() -> Condition:
    """Look at database, broker, heartbeats and queue. Never raises for what is away."""
    broker = _broker_answers()
    try:
        with connection.cursor() as cursor:
            cursor.execute(HEARTBEATS)
            ages = {name: float(age) for name, age in cursor.fetchall()}
            cursor.execute(QUEUE, {"failures": FAILURES_BEFORE_PROBING})
            oldest, due, in_flight = cursor.fetchone()
    except DatabaseError:
        return Condition(database=False, broker=broker)
    return Condition(
        database=True,
        broker=broker,
        worker_age=ages.get(Heartbeat.Name.WORKER),
        beat_age=ages.get(Heartbeat.Name.BEAT),
        oldest_due=None if oldest is None else float(oldest),
        due=due,
        in_flight=in_flight,
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


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "as long as this database exists"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
