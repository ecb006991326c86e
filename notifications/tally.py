"""Counts what deliveries came to, by channel and hour, for `notifications.stats`, which says what counts.

Code that finishes deliveries counts them, code that makes finished ones pending again or deletes them takes them back,
and `notifications.recounting` corrects at intervals what a killed worker had not written.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from notifications.latencies import BOUNDS_MS, bucket

WRITTEN_EVERY_SECONDS = 1.0
# In the order of the channels, like every other lock on several of them: two processes never wait for each other.
COUNT = """
INSERT INTO notifications_channelhour AS kept (channel_id, hour, succeeded, failed, latencies)
SELECT channel_id, date_trunc('hour', statement_timestamp(), 'UTC'), succeeded, failed, latencies
FROM jsonb_to_recordset(%s::jsonb) AS counted(channel_id text, succeeded int, failed int, latencies int[])
ORDER BY channel_id
ON CONFLICT (channel_id, hour) DO UPDATE SET
    succeeded = kept.succeeded + excluded.succeeded,
    failed = kept.failed + excluded.failed,
    latencies = ARRAY(
        SELECT before + more
        FROM unnest(kept.latencies, excluded.latencies) WITH ORDINALITY AS bucket(before, more, position)
        ORDER BY position)
"""


# In the order of channels and hours, for the same reason.
TAKE_BACK = """
WITH taken AS (
    SELECT channel_id, date_trunc('hour', finished_at, 'UTC') AS hour,
        coalesce(sum(number) FILTER (WHERE status = 'succeeded'), 0) AS succeeded,
        coalesce(sum(number) FILTER (WHERE status = 'failed'), 0) AS failed
    FROM jsonb_to_recordset(%s::jsonb)
        AS taken(channel_id text, finished_at timestamptz, status text, number int)
    GROUP BY 1, 2
),
held AS MATERIALIZED (
    SELECT kept.id, taken.succeeded, taken.failed
    FROM notifications_channelhour kept JOIN taken ON taken.channel_id = kept.channel_id AND taken.hour = kept.hour
    ORDER BY kept.channel_id, kept.hour FOR UPDATE OF kept
)
UPDATE notifications_channelhour kept
SET succeeded = greatest(kept.succeeded - held.succeeded, 0), failed = greatest(kept.failed - held.failed, 0)
FROM held WHERE kept.id = held.id
"""


@dataclass(frozen=True)
class Counted:
    """One attempt that was recorded. `status` is what the delivery is now; `answered_ms` how long the answer took, None
    where there was none.
    """

    channel_id: str
    status: str
    answered_ms: int | None = None


@dataclass
class _Row:
    succeeded: int = 0
    failed: int = 0
    latencies: list[int] = field(default_factory=lambda: [0] * len(BOUNDS_MS))


class Tally:
    """Counts that are still to be written.

    Each time that they are written makes a new version of the row of a channel's hour, which the next one has to step
    over until it is vacuumed. So a busy engine writes them once a second, and when it comes to rest. What a killed
    worker had not written is missing in the statistics until the next recount, and nowhere else.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._written_at = time.monotonic()

    def add(self, attempts: Iterable[Counted]) -> None:
        for attempt in attempts:
            row = self._rows.setdefault(attempt.channel_id, _Row())
            row.succeeded += attempt.status == "succeeded"
            row.failed += attempt.status == "failed"
            if attempt.answered_ms is not None:
                row.latencies[bucket(attempt.answered_ms)] += 1

    def is_due(self) -> bool:
        return time.monotonic() - self._written_at >= WRITTEN_EVERY_SECONDS

    def write(self) -> None:
        """Add them to the present hour, in one statement. Raises `DatabaseError`, and keeps them then."""
        if self._rows:
            counted = [{"channel_id": channel_id, **vars(row)} for channel_id, row in self._rows.items()]
            with connection.cursor() as cursor:
                cursor.execute(COUNT, [json.dumps(counted)])
            self._rows = {}
        self._written_at = time.monotonic()


def count(attempts: Iterable[Counted]) -> None:
    """Add these to the present hour at once. Must be the last of a transaction that takes locks."""
    tally = Tally()
    tally.add(attempts)
    tally.write()


def take_back(finished: Iterable[tuple[str, datetime, str]]) -> None:
    """Subtract deliveries that are pending again or gone: of each the channel's id, `finished_at` and status.

    Must be the last of a transaction that takes locks, as `count`.
    """
    counted = [
        {"channel_id": channel_id, "finished_at": at.isoformat(), "status": status, "number": number}
        for (channel_id, at, status), number in Counter(finished).items()
    ]
    if counted:
        with connection.cursor() as cursor:
            cursor.execute(TAKE_BACK, [json.dumps(counted)])
