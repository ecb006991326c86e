"""Keeps failing channels from holding up the others. What is learnt is kept in PostgreSQL, for all workers.

A timeout lowers the channel's cap to one in flight, as does resuming one with a backlog; each success raises it by one
until it is back at the common cap.
From the fifth failure in a row a single probe goes out at growing intervals, the longest being the first retry delay:
a channel that is tried less often than its retries come due would delay them for nothing. Waiting consumes no retry.

"In a row" is meant in the order in which attempts were sent, whatever order their answers come in: a receiver may be
quick to refuse and slow to take. What was sent at once has no order. So a success, or an attempt that is still
unanswered, parts what was sent before it from what was sent after it, and what was sent at once with it does not count.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from channels_app.models import Channel
from channels_app.transports import Outcome
from notifications import alert_raising
from notifications.delivery.claim import lease_seconds
from notifications.models import FAILURES_BEFORE_PROBING, ChannelHealth

# The interval doubles from a 64th of the longest with every further failure.
SMALLEST_FRACTION = 64
# So many times of failures are kept: enough to see a row of five among what is in flight.
FAILURES_KEPT = 32
REMEMBERED_CHANNELS = 10_000

# When the attempts were sent that channels have in flight.
UNANSWERED = """
SELECT channel_id, lease_expires_at - make_interval(secs => %s) FROM notifications_delivery
WHERE channel_id = ANY(%s) AND lease_token IS NOT NULL AND next_trigger <> 'test' AND NOT is_alert
"""


@dataclass(frozen=True)
class Experience:
    """What one attempt came to. `sent_at` is the time of its claim, `channel` is as it was sent to.

    `troubled`: the channel was in trouble when it was claimed, or is now.
    """

    channel: Channel
    outcome: Outcome
    error: str
    troubled: bool
    sent_at: datetime

    @property
    def succeeded(self) -> bool:
        return self.outcome == Outcome.SUCCEEDED


# When the latest attempt was sent that this process saw succeed, by channel: of a channel that is well nothing is
# written. Used by the one thread that records.
_latest_success: dict[str, datetime] = {}


def learn(experiences: Iterable[Experience]) -> None:
    """Take in what attempts came to; administrators are told of a channel that starts to fail.

    Must run inside a transaction. A success of a channel that was well changes nothing and costs nothing. An answer
    speaks of the URL and the secrets that it was sent with: once those were changed it says nothing of the channel.
    """
    news: dict[str, list[Experience]] = defaultdict(list)
    for experience in experiences:
        if experience.outcome == Outcome.INTERNAL_ERROR:
            continue  # not the channel's fault
        channel_id = experience.channel.pk
        if experience.succeeded:
            _remember(channel_id, experience.sent_at)
        if experience.troubled or not experience.succeeded:
            news[channel_id].append(experience)
    if not news:
        return
    present = Channel.objects.in_bulk(news)
    news = {
        channel_id: valid
        for channel_id, each in news.items()
        if (valid := [one for one in each if is_addressed_alike(one.channel, present[channel_id])])
    }
    ChannelHealth.objects.bulk_create(
        [ChannelHealth(channel_id=channel_id) for channel_id in sorted(news)], ignore_conflicts=True
    )
    rows = list(ChannelHealth.objects.select_for_update().filter(channel_id__in=news).order_by("channel_id"))
    unanswered = _unanswered(list(news))
    for health in rows:
        if _update(health, news[health.channel_id], unanswered[health.channel_id]):
            alert_raising.channel_failing(channel_id=health.channel_id)


def is_addressed_alike(sent: Channel, present: Channel) -> bool:
    """Whether what was sent to the one would be sent to the other in the same way."""
    return all(
        getattr(sent, name) == getattr(present, name)
        for name in (
            "url",
            "encrypted_url",
            "encrypted_headers",
            "encrypted_secret",
            "encrypted_settings",
            "recipients",
        )
    )


def forgive(channel_id: str) -> None:
    """Let the next probe go at once: somebody says that the cause is gone."""
    ChannelHealth.objects.filter(channel_id=channel_id, probe_at__gt=Now()).update(probe_at=None)


def start_slowly(channel_id: str) -> None:
    """One delivery at a time at first: a backlog waits for a receiver that has just come back."""
    ChannelHealth.objects.update_or_create(channel_id=channel_id, defaults={"in_flight_cap": 1})


def failures_in_row(failed: Iterable[datetime], unanswered: Iterable[datetime]) -> int:
    """The longest row of failures that is certain, of those sent at `failed` after the latest success: at least 1.

    `unanswered` are the times at which attempts were sent that may still succeed.
    """
    walls = sorted(set(unanswered))
    rows = Counter(bisect_left(walls, at) for at in failed if at not in walls)
    return max(rows.values(), default=1)


def _remember(channel_id: str, sent_at: datetime) -> None:
    if len(_latest_success) >= REMEMBERED_CHANNELS:
        _latest_success.clear()
    _latest_success[channel_id] = max(sent_at, _latest_success.get(channel_id, sent_at))


def _unanswered(channel_ids: list[str]) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(UNANSWERED, [lease_seconds(), channel_ids])
        for channel_id, sent_at in cursor.fetchall():
            found[channel_id].append(sent_at)
    return found


def _update(health: ChannelHealth, experiences: Sequence[Experience], unanswered: Sequence[datetime]) -> bool:
    """Save what was learnt. Whether the channel has begun to fail, which is to be told."""
    _adapt_cap(health, experiences)
    successes = [each.sent_at for each in experiences if each.succeeded]
    known = (_latest_success.get(health.channel_id), health.success_sent_at)
    health.success_sent_at = success = max([*successes, *(at for at in known if at)], default=None)
    before = health.failures_sent_at
    kept = [at for at in before if success is None or at > success]
    new = [each for each in experiences if not each.succeeded and (success is None or each.sent_at > success)]
    if len(kept) < len(before) or (successes and not before):
        health.failures_in_row, health.failing_since, health.last_failed_at = 0, None, None
        health.stage, health.stage_at = "", None
    row = sorted([*kept, *(each.sent_at for each in new)])
    health.failures_sent_at = row[-FAILURES_KEPT:]
    if health.failing:
        health.failures_in_row += len(new)
    else:
        health.failures_in_row = failures_in_row(row, unanswered) if row else 0
    if new:
        health.last_failed_at, health.latest_error = Now(), new[-1].error
    if health.failures_in_row:
        health.failing_since = health.failing_since or Now()
        health.last_failed_at = health.last_failed_at or Now()
    else:
        health.latest_error = ""
    health.probe_at = Now() + _interval(health.failures_in_row) if health.failing else None
    begins = health.failing and not health.stage
    if begins:
        # What comes after this stage asks for a failure after it (`notifications.alerts.stages`).
        health.stage, health.stage_at = ChannelHealth.Stage.FAILING, Now()
    health.save()
    return begins


def _adapt_cap(health: ChannelHealth, experiences: Iterable[Experience]) -> None:
    for each in experiences:
        if each.outcome == Outcome.TIMEOUT:
            health.in_flight_cap = 1
        elif each.succeeded and health.in_flight_cap is not None:
            cap = health.in_flight_cap + 1
            health.in_flight_cap = cap if cap < settings.CHANNEL_CONCURRENCY else None


def _interval(failures_in_row: int) -> timedelta:
    longest = settings.POSTBACK_RETRY_DELAYS_SECONDS[0]
    doublings = min(failures_in_row - FAILURES_BEFORE_PROBING, 32)
    return timedelta(seconds=min(longest, longest / SMALLEST_FRACTION * 2**doublings))
