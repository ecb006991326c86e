"""Is delivering going on? For `check_delivery`, `/healthz/deliveries`, `/metrics` and the banners of all pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import DatabaseError, connection
from django.db.models import QuerySet
from redis import RedisError

from channels_app.models import Channel
from notifications import waiting
from notifications.display import counted
from notifications.models import FAILURES_BEFORE_PROBING, AlertDelivery, ChannelHealth, Heartbeat
from notifications.patience import within
from notifications.redis_client import new_client
from notifications.waiting import Lateness

WORKER_SILENT_SECONDS = 60
BEAT_SILENT_SECONDS = 300
# How old the oldest delivery may be that could be sent now.
LONGEST_WAIT_SECONDS = 120
BROKER_TIMEOUT_SECONDS = 2

# How many deliveries are due and not being sent on each channel, and how many are in flight in all.
QUEUE = """
SELECT delivery.channel_id,
    count(*) FILTER (WHERE delivery.lease_token IS NULL AND delivery.next_attempt_at <= statement_timestamp()),
    count(*) FILTER (WHERE delivery.lease_token IS NOT NULL)
FROM notifications_delivery delivery JOIN channels_app_channel channel ON channel.id = delivery.channel_id
WHERE delivery.status = 'pending' AND NOT delivery.is_alert AND channel.archived_at IS NULL
GROUP BY delivery.channel_id
"""
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
        if self.worker_age is None or self.worker_age > WORKER_SILENT_SECONDS:
            found.append(f"No worker has claimed for {in_words(self.worker_age)}. Is a worker running?")
        if self.beat_age is None or self.beat_age > BEAT_SILENT_SECONDS:
            found.append(f"No beat has run for {in_words(self.beat_age)}. Is beat running?")
        if self.oldest_sendable is not None and self.oldest_sendable > max_age:
            found.append(f"The oldest due delivery has waited for {in_words(self.oldest_sendable)}.")
        return found

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
    """Due deliveries that are not being sent, by channel, and those that are being sent; channels; alerts to be sent.

    `sendable` are those of channels that are neither paused nor failing.
    """

    due_by_channel: Mapping[str, int]
    sendable: int
    in_flight: int
    channels_failing: int
    alerts_waiting: int

    @property
    def due(self) -> int:
        return sum(self.due_by_channel.values())


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
    """Count what waits, for `/metrics`: it takes as long as the backlog is large.

    Raises `DatabaseError` when PostgreSQL is away.
    """
    with connection.cursor() as cursor:
        cursor.execute(QUEUE)
        rows = cursor.fetchall()
    due = {channel_id: waits for channel_id, waits, _ in rows if waits}
    failing = failing_channels()
    held = set(Channel.objects.filter(pk__in=due, paused_at__isnull=False).values_list("pk", flat=True))
    held |= set(failing.filter(pk__in=due).values_list("pk", flat=True))
    return Counts(
        due_by_channel=due,
        sendable=sum(waits for channel_id, waits in due.items() if channel_id not in held),
        in_flight=sum(in_flight for _, _, in_flight in rows),
        channels_failing=failing.count(),
        alerts_waiting=AlertDelivery.objects.filter(status="pending").values("event").distinct().count(),
    )


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
