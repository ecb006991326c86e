"""Is delivering going on? For `check_delivery`, `/readyz` and whoever watches the workers."""

from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection
from redis import Redis, RedisError

from notifications.models import Heartbeat

WORKER_SILENT_SECONDS = 60
BEAT_SILENT_SECONDS = 300
BROKER_TIMEOUT_SECONDS = 2

OLDEST_DUE = """
SELECT extract(epoch FROM statement_timestamp() - min(due.next_attempt_at))
FROM channels_app_channel channel
CROSS JOIN LATERAL (
    SELECT next_attempt_at FROM notifications_delivery
    WHERE channel_id = channel.id AND status = 'pending' AND lease_token IS NULL
        AND next_attempt_at <= statement_timestamp()
    ORDER BY next_attempt_at LIMIT 1
) due
WHERE channel.paused_at IS NULL AND channel.archived_at IS NULL
"""
HEARTBEATS = "SELECT name, extract(epoch FROM statement_timestamp() - at) FROM notifications_heartbeat"


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
            cursor.execute(OLDEST_DUE)
            (oldest,) = cursor.fetchone()
    except DatabaseError:
        return Condition(database=False, broker=broker)
    return Condition(
        database=True,
        broker=broker,
        worker_age=ages.get(Heartbeat.Name.WORKER),
        beat_age=ages.get(Heartbeat.Name.BEAT),
        oldest_due=None if oldest is None else float(oldest),
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
