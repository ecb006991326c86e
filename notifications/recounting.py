"""Counts anew what was finished lately, from the rows themselves.

Counts are written a moment after what they count: those of a killed worker never are, those of the end of an hour go to
the next. So beat has the hours since the last recount counted again, each in one short transaction. What is counted
twice because a worker writes it at the same moment is right again after the next one.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from notifications.latencies import BOUNDS_MS
from notifications.models import Heartbeat
from notifications.stats import DAYS
from orders.locks import try_lock

# The hour in which this long before the last recount lies is counted again.
OVERLAP = timedelta(minutes=5)
HOUR = timedelta(hours=1)
# A run ends after so long, and the next goes on; after it this process rests for so many times as long.
LONGEST_RUN_SECONDS = 10
SHARE = 20

LOCK = "recount"
NOW_AND_LAST = "SELECT statement_timestamp(), (SELECT at FROM notifications_heartbeat WHERE name = %(name)s)"
# By the indexes delivery_succeeded and delivery_failed. In the order of the channels, as `tally` locks them.
RECOUNT = """
INSERT INTO notifications_channelhour AS kept (channel_id, hour, succeeded, failed, latencies)
SELECT channel.id, %(hour)s, succeeded.number, failed.number, %(latencies)s
FROM channels_app_channel channel
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM notifications_delivery
    WHERE channel_id = channel.id AND status = 'succeeded' AND next_trigger <> 'test' AND NOT is_alert
        AND finished_at >= %(hour)s AND finished_at < %(end)s
) succeeded
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM notifications_delivery
    WHERE channel_id = channel.id AND status = 'failed' AND next_trigger <> 'test' AND NOT is_alert
        AND finished_at >= %(hour)s AND finished_at < %(end)s
) failed
WHERE succeeded.number > 0 OR failed.number > 0
    OR EXISTS (SELECT 1 FROM notifications_channelhour WHERE channel_id = channel.id AND hour = %(hour)s)
ORDER BY channel.id
ON CONFLICT (channel_id, hour) DO UPDATE SET succeeded = excluded.succeeded, failed = excluded.failed
WHERE (kept.succeeded, kept.failed) IS DISTINCT FROM (excluded.succeeded, excluded.failed)
"""
COUNTED_UNTIL = """
INSERT INTO notifications_heartbeat (name, at) VALUES (%(name)s, %(until)s)
ON CONFLICT (name) DO UPDATE SET at = excluded.at
"""

_one_at_a_time = threading.Lock()
_rests_until = 0.0  # monotonic, in this process


def recount(*, stop: Callable[[], bool] = lambda: False) -> int:
    """Recount the hours since the last time; at first, and after an update, those of a month. Returns how many.

    It goes on where it was stopped, takes a twentieth of the time at most, and ends while another process recounts.
    Raises `django.db.Error` when PostgreSQL is away.
    """
    global _rests_until
    began = time.monotonic()
    if began < _rests_until or not _one_at_a_time.acquire(blocking=False):
        return 0
    try:
        counted = 0
        while not stop() and time.monotonic() < began + LONGEST_RUN_SECONDS:
            more = _recount_hour(first=counted == 0)
            if more is None:
                break
            counted += 1
            if not more:
                break
        _rests_until = began + SHARE * (time.monotonic() - began)
        return counted
    finally:
        _one_at_a_time.release()


@transaction.atomic
def _recount_hour(*, first: bool) -> bool | None:
    """Recount the hour in which the last recount ended. Returns whether there is a later one.

    None where another process is recounting.
    """
    name = Heartbeat.Name.RECOUNT
    if not try_lock(LOCK):
        return None
    with connection.cursor() as cursor:
        cursor.execute(NOW_AND_LAST, {"name": name})
        now, until = cursor.fetchone()
        oldest = now - timedelta(days=min(DAYS, settings.RETENTION_DAYS) + 1)
        since = max(oldest, (until or oldest) - (OVERLAP if first else timedelta()))
        hour = _beginning(since)
        values: dict[str, Any] = {"hour": hour, "end": hour + HOUR, "latencies": [0] * len(BOUNDS_MS)}
        cursor.execute(RECOUNT, values)
        cursor.execute(COUNTED_UNTIL, {"name": name, "until": min(now, hour + HOUR)})
    return bool(hour + HOUR <= now)


def _beginning(at: datetime) -> datetime:
    """The beginning of the full hour of UTC in which a time lies."""
    return datetime.fromtimestamp(at.timestamp() // 3600 * 3600, tz=at.tzinfo)
