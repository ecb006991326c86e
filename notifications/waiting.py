"""Deliveries that are due and not being sent, and what they wait for.

A delivery that is due is sent at once, unless its channel is paused, keeps failing and is asked less often (back-off),
or has as many in flight as it may have (its cap). Whatever waits otherwise could be sent now, and that it is not is the
fault of the workers: of that alone people are alarmed as of a fault of the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.db import connection

from notifications.models import FAILURES_BEFORE_PROBING, TESTS_AT_ONCE

Reason = Literal["sendable", "cap", "back_off", "pause"]

# So many channels are named, those whose oldest delivery has waited for longest.
CHANNELS_NAMED = 20
# Between an answer that is recorded and the next claim a channel at its cap has a free slot for a moment: it counts as
# at its cap while it has had as many as that within so many seconds.
LATELY_SECONDS = 1
WHY: dict[Reason, str] = {
    "sendable": "could be sent now",
    "cap": "has as many in flight as it may have",
    "back_off": "keeps failing and is asked less often",
    "pause": "is paused",
}

# One row for each channel where something is due that is not in flight, with the oldest of it. By the indexes
# delivery_due, delivery_leased, delivery_succeeded and delivery_failed, of each channel no more rows than its cap.
# What a channel held until it was resumed could be sent since then.
CHANNELS = """
SELECT channel.id, channel.name, due.id AS delivery_id,
    extract(epoch FROM statement_timestamp() - due.next_attempt_at)::float AS seconds,
    extract(epoch FROM statement_timestamp() - greatest(due.next_attempt_at, channel.resumed_at))::float
        AS sendable_seconds,
    CASE
        WHEN due.next_trigger = 'test' THEN CASE WHEN leased.tests >= %(tests)s THEN 'cap' ELSE 'sendable' END
        WHEN channel.paused_at IS NOT NULL THEN 'pause'
        WHEN coalesce(health.failures_in_row, 0) >= %(failures)s THEN 'back_off'
        WHEN leased.in_flight + lately.finished >= least(health.in_flight_cap, %(cap)s) THEN 'cap'
        WHEN leased.in_flight + lately.finished > 0 AND due.next_attempt_at <= channel.resumed_at THEN 'cap'
        ELSE 'sendable'
    END AS reason
FROM channels_app_channel channel
LEFT JOIN notifications_channelhealth health ON health.channel_id = channel.id
CROSS JOIN LATERAL (
    SELECT id, next_attempt_at, next_trigger FROM notifications_delivery
    WHERE channel_id = channel.id AND status = 'pending' AND lease_token IS NULL AND NOT is_alert
        AND next_attempt_at <= statement_timestamp()
    ORDER BY next_attempt_at LIMIT 1
) due
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE next_trigger <> 'test') AS in_flight,
        count(*) FILTER (WHERE next_trigger = 'test') AS tests
    FROM notifications_delivery WHERE channel_id = channel.id AND lease_token IS NOT NULL AND NOT is_alert
) leased
CROSS JOIN LATERAL (
    SELECT count(*) AS finished FROM (
        (SELECT FROM notifications_delivery
        WHERE channel_id = channel.id AND status = 'succeeded' AND NOT is_alert
            AND finished_at > statement_timestamp() - make_interval(secs => %(lately)s)
        ORDER BY finished_at DESC LIMIT %(cap)s)
        UNION ALL
        (SELECT FROM notifications_delivery
        WHERE channel_id = channel.id AND status = 'failed' AND NOT is_alert
            AND finished_at > statement_timestamp() - make_interval(secs => %(lately)s)
        ORDER BY finished_at DESC LIMIT %(cap)s)
    ) each
) lately
WHERE channel.archived_at IS NULL
"""
# Of those, the worst ones, as many at their cap, and that which could be sent now and has waited for longest: whatever
# paused channels have held for months hides neither.
WORST = f"""
SELECT id, name, delivery_id, seconds, sendable_seconds, reason, channels FROM (
    SELECT waiting.*, count(*) OVER () AS channels, row_number() OVER (ORDER BY seconds DESC, id) AS place,
        row_number() OVER (PARTITION BY reason ORDER BY sendable_seconds DESC, id) AS place_by_reason
    FROM ({CHANNELS}) waiting
) ranked
WHERE place <= %(named)s
    OR place_by_reason <= CASE reason WHEN 'sendable' THEN 1 WHEN 'cap' THEN %(named)s ELSE 0 END
"""  # noqa: S608 (made of constants)


@dataclass(frozen=True)
class Waiting:
    """The oldest due delivery of a channel, since how many seconds it is due, and why it is not being sent.

    `sendable_seconds` is how long that was not the channel's own doing, as far as `reason` is `sendable`.
    """

    channel_id: str
    channel: str
    delivery_id: str
    seconds: float
    sendable_seconds: float
    reason: Reason

    @property
    def why(self) -> str:
        return WHY[self.reason]


@dataclass(frozen=True)
class Lateness:
    """The channels on which deliveries wait: the worst ones, the worst first, and how many there are."""

    worst: tuple[Waiting, ...] = ()
    channels: int = 0

    @property
    def oldest(self) -> Waiting | None:
        """The due delivery that has waited for longest, whatever for."""
        return self.worst[0] if self.worst else None

    @property
    def oldest_sendable(self) -> Waiting | None:
        """The one that could have been sent for longest."""
        sendable = [each for each in self.worst if each.reason == "sendable"]
        return max(sendable, key=lambda each: each.sendable_seconds, default=None)

    @property
    def waiting_for_channels(self) -> tuple[Waiting, ...]:
        """The channels that keep their own deliveries waiting."""
        return tuple(each for each in self.worst if each.reason != "sendable")


def values() -> dict[str, Any]:
    """The parameters of `CHANNELS` and `WORST`."""
    return {
        "failures": FAILURES_BEFORE_PROBING,
        "cap": settings.CHANNEL_CONCURRENCY,
        "tests": TESTS_AT_ONCE,
        "lately": LATELY_SECONDS,
        "named": CHANNELS_NAMED,
    }


def lateness_of(rows: Sequence[Sequence[Any]]) -> Lateness:
    """The lateness that rows of `WORST` show, in whatever order."""
    found = sorted((Waiting(*row[:-1]) for row in rows), key=lambda each: -each.seconds)
    return Lateness(tuple(found), int(rows[0][-1]) if rows else 0)


def lateness() -> Lateness:
    """Measure it by one query, of as many steps as there are channels. Raises `DatabaseError`."""
    with connection.cursor() as cursor:
        cursor.execute(WORST, values())
        return lateness_of(cursor.fetchall())


def of_channel(channel_id: str) -> float:
    """The seconds for which the oldest due delivery of this channel has waited; 0: none is due."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT seconds FROM ({CHANNELS}) waiting WHERE id = %(channel)s",  # noqa: S608
            {**values(), "channel": channel_id},
        )
        row = cursor.fetchone()
    return float(row[0]) if row else 0.0
