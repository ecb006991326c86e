"""Keeps failing channels from holding up the others. What is learnt is kept in PostgreSQL, for all workers.

A timeout lowers the channel's cap to one in flight, as does resuming one with a backlog; each success raises it by one
until it is back at the common cap.
From the fifth failure in a row a single probe goes out at growing intervals, the longest being the first retry delay:
a channel that is tried less often than its retries come due would delay them for nothing. Waiting consumes no retry.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from channels_app.transports import Outcome
from notifications import alerts
from notifications.models import FAILURES_BEFORE_PROBING, ChannelHealth

# The interval doubles from a 64th of the longest with every further failure.
SMALLEST_FRACTION = 64
# Not the channel's fault.
OURS = {Outcome.INTERNAL_ERROR, Outcome.UNKNOWN}


@dataclass(frozen=True)
class Experience:
    """What one attempt came to. `troubled`: the channel was in trouble when it was claimed."""

    channel_id: str
    outcome: Outcome
    error: str
    troubled: bool


def learn(experiences: Iterable[Experience]) -> None:
    """Take in what attempts came to; administrators are told of a channel that starts to fail.

    Must run inside a transaction. A success of a channel that was well changes nothing and costs nothing.
    """
    news: dict[str, list[Experience]] = defaultdict(list)
    for experience in experiences:
        if experience.outcome not in OURS and (experience.troubled or experience.outcome != Outcome.SUCCEEDED):
            news[experience.channel_id].append(experience)
    if not news:
        return
    ChannelHealth.objects.bulk_create(
        [ChannelHealth(channel_id=channel_id) for channel_id in sorted(news)], ignore_conflicts=True
    )
    rows = ChannelHealth.objects.select_for_update().filter(channel_id__in=news).order_by("channel_id")
    for health in rows:
        if _update(health, news[health.channel_id]):
            alerts.channel_failing(channel_id=health.channel_id)


def forgive(channel_id: str) -> None:
    """Let the next probe go at once: somebody says that the cause is gone."""
    ChannelHealth.objects.filter(channel_id=channel_id, probe_at__gt=Now()).update(probe_at=None)


def start_slowly(channel_id: str) -> None:
    """One delivery at a time at first: a backlog waits for a receiver that has just come back."""
    ChannelHealth.objects.update_or_create(channel_id=channel_id, defaults={"in_flight_cap": 1})


def _update(health: ChannelHealth, experiences: list[Experience]) -> bool:
    """Save what was learnt. Whether the channel has begun to fail, which is to be told."""
    for experience in experiences:
        if experience.outcome == Outcome.SUCCEEDED:
            health.failures_in_row, health.failing_since, health.latest_error = 0, None, ""
            health.last_failed_at, health.stage, health.stage_at = None, "", None
            if health.in_flight_cap is not None:
                health.in_flight_cap += 1
                if health.in_flight_cap >= settings.CHANNEL_CONCURRENCY:
                    health.in_flight_cap = None
        else:
            health.failures_in_row += 1
            health.failing_since = health.failing_since or Now()
            health.last_failed_at, health.latest_error = Now(), experience.error
            if experience.outcome == Outcome.TIMEOUT:
                health.in_flight_cap = 1
    health.probe_at = Now() + _interval(health.failures_in_row) if health.failing else None
    begins = health.failing and not health.stage
    if begins:
        # What comes after this stage asks for a failure after it (`notifications.alerts.stages`).
        health.stage, health.stage_at = ChannelHealth.Stage.FAILING, Now()
    health.save()
    return begins


def _interval(failures_in_row: int) -> timedelta:
    longest = settings.POSTBACK_RETRY_DELAYS_SECONDS[0]
    doublings = min(failures_in_row - FAILURES_BEFORE_PROBING, 32)
    return timedelta(seconds=min(longest, longest / SMALLEST_FRACTION * 2**doublings))
