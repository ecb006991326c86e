"""Counts what deliveries came to, by channel and hour, for `notifications.stats`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connection

from notifications.latencies import BOUNDS_MS, bucket

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


def count(attempts: Iterable[Counted]) -> None:
    """Add these to the present hour, all in one statement. Must be the last of a transaction that takes locks."""
    rows: dict[str, _Row] = {}
    for attempt in attempts:
        row = rows.setdefault(attempt.channel_id, _Row())
        row.succeeded += attempt.status == "succeeded"
        row.failed += attempt.status == "failed"
        if attempt.answered_ms is not None:
            row.latencies[bucket(attempt.answered_ms)] += 1
    if rows:
        told = [{"channel_id": channel_id, **vars(row)} for channel_id, row in rows.items()]
        with connection.cursor() as cursor:
            cursor.execute(COUNT, [json.dumps(told)])
