"""When a failing channel is warned of, and when it is paused.

The time runs from the first of the failures in a row, or from when the channel was last resumed. After a fifth of
`PAUSE_FAILING_AFTER_DAYS` comes a warning, after four fifths the last one, and after all of it the pause, though never
sooner than a fifth after the last warning. Each takes a failure after what was told before: a channel to which nothing
is sent is neither warned of nor paused.
"""

from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db import connection

from notifications.models import FAILURES_BEFORE_PROBING, ChannelHealth

Step = Literal["failing", "warned", "last_warned", "pause"]

FIRST_WARNING_AFTER = 0.2
LAST_WARNING_AFTER = 0.8
# Of the whole time, between the last warning and the pause.
LAST_WARNING_AHEAD = 0.2

# What is to be done next about failing channels: about one, or (`channel` null) about all where there is something.
NEXT = """
SELECT channel_id, step FROM (
    SELECT channel_id, CASE
        WHEN stage = '' THEN CASE WHEN last_failed_at > resumed_at THEN 'failing' END
        WHEN last_failed_at <= stage_at OR %(pause_after)s = 0 THEN NULL
        WHEN stage = 'last_warned' THEN CASE
            WHEN now >= greatest(since + whole, stage_at + whole * %(ahead)s) THEN 'pause' END
        WHEN now >= since + whole * %(last)s THEN 'last_warned'
        WHEN stage = 'failing' AND now >= since + whole * %(first)s THEN 'warned'
    END AS step
    FROM (
        SELECT health.channel_id, health.last_failed_at, health.stage_at,
            coalesce(channel.resumed_at, '-infinity') AS resumed_at,
            greatest(health.failing_since, channel.resumed_at) AS since,
            CASE WHEN health.stage_at <= channel.resumed_at THEN '' ELSE health.stage END AS stage,
            statement_timestamp() AS now, make_interval(secs => %(pause_after)s) AS whole
        FROM notifications_channelhealth health JOIN channels_app_channel channel ON channel.id = health.channel_id
        WHERE health.failures_in_row >= %(failures)s AND health.last_failed_at IS NOT NULL
            AND channel.paused_at IS NULL AND channel.archived_at IS NULL
            AND (%(channel)s::text IS NULL OR health.channel_id = %(channel)s)
    ) failing
) next WHERE step IS NOT NULL ORDER BY channel_id
"""


def next_steps(channel_id: str | None = None) -> dict[str, Step]:
    """What is to be done now about each failing channel, or about this one. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            NEXT,
            {
                "channel": channel_id,
                "failures": FAILURES_BEFORE_PROBING,
                "pause_after": pause_after().total_seconds(),
                "first": FIRST_WARNING_AFTER,
                "last": LAST_WARNING_AFTER,
                "ahead": LAST_WARNING_AHEAD,
            },
        )
        return dict(cursor.fetchall())


def pause_after() -> timedelta:
    """After how long of failing a channel is paused; zero: never."""
    return timedelta(days=settings.PAUSE_FAILING_AFTER_DAYS)


def pauses_at(health: ChannelHealth) -> datetime | None:
    """When the channel is paused at the earliest if it goes on failing; None: never, or it does not fail.

    Reads `health.channel`.
    """
    whole = pause_after()
    if not whole or not health.failing or health.failing_since is None:
        return None
    resumed_at = health.channel.resumed_at
    at = max(filter(None, (health.failing_since, resumed_at))) + whole
    if (
        health.stage == health.Stage.LAST_WARNED
        and health.stage_at
        and not (resumed_at and health.stage_at <= resumed_at)
    ):
        at = max(at, health.stage_at + whole * LAST_WARNING_AHEAD)
    return at
