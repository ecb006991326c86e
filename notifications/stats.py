"""How delivering goes: what pages show of the last 24 hours and 30 days, and how much waits on a channel.

A delivery counts once: in the hour in which it was last finished, as what it is now, succeeded or failed, however it
came to that (an answer, a worker that died, the deletion of its channel or of a person's data). One that is pending
again counts nowhere, nor does a test, nor one that is not kept any longer. So the numbers are those
of the rows in the log that were finished then (`finished_since`).

They are kept in one row for each channel and hour (`ChannelHour`, see `notifications.tally`), so reading costs
as much with a million deliveries as with ten: nothing here counts deliveries or events without a bound.
Times to the answer are kept as a histogram, so a median or a 95th percentile may be off by a fifth
(`notifications.latencies`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from channels_app.models import Channel
from notifications.latencies import BOUNDS_MS, percentile
from notifications.models import Delivery, Trigger

HOURS = 24
DAYS = 30
MEDIAN = 0.5
P95 = 0.95


@dataclass(frozen=True)
class Summary:
    """Deliveries finished in the last 24 hours, and how long answers took (ms; None: there was no answer)."""

    succeeded: int = 0
    failed: int = 0
    median_ms: int | None = None
    p95_ms: int | None = None
    last_delivery_at: datetime | None = None  # when the newest one was made, however long ago; by channel only

    @property
    def finished(self) -> int:
        return self.succeeded + self.failed

    @property
    def success_rate(self) -> float | None:
        """Percent of the finished ones that succeeded; None where none was finished."""
        return 100 * self.succeeded / self.finished if self.finished else None

    @property
    def success_rate_text(self) -> str:
        """`98.3 %`, never rounded up to 100 or down to 0; "–" where none was finished."""
        rate = self.success_rate
        if rate is None:
            return "–"
        if rate in {0.0, 100.0}:
            return f"{rate:.0f} %"
        return f"{min(max(rate, 0.1), 99.9):.1f} %"


@dataclass(frozen=True)
class Hour:
    """One hour, beginning at `at`: the deliveries that were finished in it and how long answers took (ms)."""

    at: datetime
    succeeded: int
    failed: int
    median_ms: int | None
    p95_ms: int | None

    @property
    def finished(self) -> int:
        return self.succeeded + self.failed


@dataclass(frozen=True)
class Day:
    """The present hour and the 23 before it, oldest first, and what they add up to."""

    hours: list[Hour]
    totals: Summary


@dataclass(frozen=True)
class Month:
    """Today and the days before it, oldest first, each with what was finished in it, and how many that are in all."""

    days: list[tuple[date, Summary]]
    totals: Summary


@dataclass(frozen=True)
class Backlog:
    """How many deliveries of a channel are due, are to be sent later, and are being sent; tests are not counted."""

    due: int = 0
    later: int = 0
    in_flight: int = 0

    @property
    def waiting(self) -> int:
        """How many are not being sent: on a paused channel, those that it holds."""
        return self.due + self.later


_SUM_OF_LATENCIES = (
    "ARRAY[" + ", ".join(f"sum(latencies[{index}])" for index in range(1, len(BOUNDS_MS) + 1)) + "]::bigint[]"
)
_DAY_BEGINS = "SELECT date_trunc('hour', statement_timestamp(), 'UTC') - make_interval(hours => %(hours)s - 1)"
# One row an hour, hours in which nothing was finished included.
_DAY = f"""
SELECT hour.at, coalesce(sum(succeeded), 0), coalesce(sum(failed), 0), {_SUM_OF_LATENCIES}
FROM generate_series(
    date_trunc('hour', statement_timestamp(), 'UTC') - make_interval(hours => %(hours)s - 1),
    date_trunc('hour', statement_timestamp(), 'UTC'), '1 hour') AS hour(at)
LEFT JOIN notifications_channelhour counted ON counted.hour = hour.at
    AND (%(channel)s::text IS NULL OR counted.channel_id = %(channel)s)
GROUP BY hour.at ORDER BY hour.at
"""  # noqa: S608 (made of numbers)
# The newest delivery of each channel is found by the index delivery_of_channel. With a plain equality the planner may
# walk the primary key backwards instead, past all that went to others since.
_CHANNELS = f"""
SELECT wanted.id, day.succeeded, day.failed, day.latencies, last.created_at
FROM unnest(%(channels)s::text[]) AS wanted(id)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(succeeded), 0) AS succeeded, coalesce(sum(failed), 0) AS failed,
        {_SUM_OF_LATENCIES} AS latencies
    FROM notifications_channelhour WHERE channel_id = wanted.id
        AND hour > date_trunc('hour', statement_timestamp(), 'UTC') - make_interval(hours => %(hours)s)
) day
LEFT JOIN LATERAL (
    SELECT created_at FROM notifications_delivery WHERE channel_id BETWEEN wanted.id AND wanted.id AND NOT is_alert
    ORDER BY channel_id, id DESC LIMIT 1
) last ON true
"""  # noqa: S608
# One row a day, by the unique index of one channel's hours. An hour counts for the day in which it begins.
_MONTH = f"""
SELECT coalesce(sum(succeeded), 0), coalesce(sum(failed), 0), {_SUM_OF_LATENCIES}
FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS day(begins, ends, number)
LEFT JOIN notifications_channelhour counted
    ON counted.channel_id = %(channel)s AND counted.hour >= day.begins AND counted.hour < day.ends
GROUP BY day.number ORDER BY day.number
"""  # noqa: S608
# By the indexes delivery_due and delivery_leased, each no further than the bound.
_BACKLOGS = """
SELECT wanted.id,
    (SELECT count(*) FROM (
        SELECT FROM notifications_delivery
        WHERE channel_id = wanted.id AND status = 'pending' AND lease_token IS NULL AND NOT is_alert
            AND next_trigger <> 'test' AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT %(bound)s) due),
    (SELECT count(*) FROM (
        SELECT FROM notifications_delivery
        WHERE channel_id = wanted.id AND status = 'pending' AND lease_token IS NULL AND NOT is_alert
            AND next_trigger <> 'test' AND next_attempt_at > statement_timestamp()
        ORDER BY next_attempt_at LIMIT %(bound)s) later),
    (SELECT count(*) FROM (
        SELECT FROM notifications_delivery
        WHERE channel_id = wanted.id AND lease_token IS NOT NULL AND next_trigger <> 'test' AND NOT is_alert
        ORDER BY lease_expires_at LIMIT %(bound)s) leased)
FROM unnest(%(channels)s::text[]) AS wanted(id)
"""
# Channel by channel, by the index delivery_failed. The answer to a test was shown to its sender.
_LATEST_FAILURES = """
SELECT failed.id
FROM channels_app_channel channel
CROSS JOIN LATERAL (
    SELECT id, finished_at FROM notifications_delivery
    WHERE channel_id = channel.id AND status = 'failed' AND next_trigger <> 'test' AND NOT is_alert
    ORDER BY finished_at DESC LIMIT %(limit)s
) failed
ORDER BY failed.finished_at DESC LIMIT %(limit)s
"""


def finished_since(at: datetime) -> QuerySet[Delivery]:
    """The deliveries that count, of those finished since then: with `day_begins()` those that `last_day` counts.

    They are asked for by channel, so that the indexes by channel and time of finishing serve.
    """
    channels = list(Channel.objects.values_list("pk", flat=True))
    finished = Q(status=Delivery.Status.SUCCEEDED, channel__in=channels, finished_at__gte=at)
    finished |= Q(status=Delivery.Status.FAILED, channel__in=channels, finished_at__gte=at)
    return Delivery.objects.filter(finished).exclude(next_trigger=Trigger.TEST)


def day_begins() -> datetime:
    """The beginning of the first of the hours of `last_day`."""
    with connection.cursor() as cursor:
        cursor.execute(_DAY_BEGINS, {"hours": HOURS})
        begins: datetime = cursor.fetchone()[0]
    return begins


def last_day(channel_id: str | None = None) -> Day:
    """The last 24 hours of all channels, or of one, hour by hour. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_DAY, {"hours": HOURS, "channel": channel_id})
        rows = cursor.fetchall()
    hours = [Hour(at, int(good), int(bad), *_percentiles(counts)) for at, good, bad, counts in rows]
    totals = Summary(
        sum(hour.succeeded for hour in hours),
        sum(hour.failed for hour in hours),
        *_percentiles([sum(count or 0 for count in column) for column in zip(*(row[3] for row in rows), strict=True)]),
    )
    return Day(hours, totals)


def channel_summaries(channel_ids: Iterable[str]) -> Mapping[str, Summary]:
    """The last 24 hours of each of these channels, and when its newest delivery was made. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANNELS, {"hours": HOURS, "channels": list(channel_ids)})
        return {
            channel_id: Summary(int(good), int(bad), *_percentiles(counts), last_delivery_at=last_at)
            for channel_id, good, bad, counts, last_at in cursor.fetchall()
        }


def last_month(channel_id: str) -> Month:
    """The last 30 days of one channel in the present time zone; fewer where `RETENTION_DAYS` is less. One query."""
    today = timezone.localdate()
    days = [today - timedelta(days=ago) for ago in reversed(range(min(DAYS, settings.RETENTION_DAYS)))]
    zone = timezone.get_current_timezone()  # not by name: PostgreSQL need not know each that Python knows
    begins = [datetime.combine(day, time.min, tzinfo=zone) for day in [*days, today + timedelta(days=1)]]
    with connection.cursor() as cursor:
        cursor.execute(_MONTH, {"begins": begins[:-1], "ends": begins[1:], "channel": channel_id})
        summaries = [Summary(int(good), int(bad), *_percentiles(counts)) for good, bad, counts in cursor.fetchall()]
    totals = Summary(sum(each.succeeded for each in summaries), sum(each.failed for each in summaries))
    return Month(list(zip(days, summaries, strict=True)), totals)


def channel_backlogs(channel_ids: Iterable[str], *, at_most: int) -> Mapping[str, Backlog]:
    """The backlog of each of these channels, each number counted up to `at_most` and one more. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOGS, {"channels": list(channel_ids), "bound": at_most + 1})
        return {channel_id: Backlog(*counts) for channel_id, *counts in cursor.fetchall()}


def latest_failures(limit: int) -> list[str]:
    """The ids of the deliveries that failed last, latest first. One query, of as many steps as there are channels."""
    with connection.cursor() as cursor:
        cursor.execute(_LATEST_FAILURES, {"limit": limit})
        return [delivery_id for (delivery_id,) in cursor.fetchall()]


def _percentiles(counts: Sequence[Any]) -> tuple[int | None, int | None]:
    return percentile(counts, MEDIAN), percentile(counts, P95)
