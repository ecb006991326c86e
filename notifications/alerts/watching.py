"""Looks for what lasts and for what is over: channels that fail or are slow, late deliveries, secrets that are lost.

Called every few seconds. It looks at everything, so that neither a restart nor a time without beat makes it miss
something, and decides about each channel again with its rows locked, so that two at once do each thing once. Lock order
as everywhere: channel, its health, then what is written.
"""

import time
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import CharField, Exists, Max, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Now

from channels_app.models import Channel
from channels_app.services import lock_channel
from channels_app.text import cut, one_line
from notifications import history, monitoring, stats, waiting
from notifications.alert_raising import FAILING_KINDS, LATE_KINDS, SLOW_KINDS, write
from notifications.alert_targets import targets_for
from notifications.alerts import stages
from notifications.alerts.facts import in_zone
from notifications.alerts.turn import is_behind
from notifications.database_time import database_now
from notifications.events.alerts import AlertKind
from notifications.models import (
    FAILURES_BEFORE_PROBING,
    IS_WITHDRAWN,
    Alert,
    AlertChannel,
    AlertDelivery,
    ChannelBacklog,
    ChannelHealth,
    EventChannel,
)
from notifications.pausing import pause_channel
from notifications.waiting import Lateness
from orders.locks import try_lock

log = structlog.get_logger(__name__)

Unfinished = tuple[str, str | None]
Kind = AlertKind
Stage = ChannelHealth.Stage

# Deliveries that are late are told at once, after this, and then every so often as they last.
LATE_AGAIN_AFTER = timedelta(hours=1)
LATE_THEN_EVERY = timedelta(days=1)
# A channel at its cap whose oldest delivery waits for so long is behind; two looks at it are so far apart. A backlog
# of more than so many is not counted on, and told when it is reached.
BEHIND_AFTER = timedelta(minutes=10)
COMPARED_AFTER = timedelta(minutes=1)
COMPARED_AT_MOST = 100_000
# Reading the secrets of every channel takes a while where there are thousands.
SECRETS_EVERY_SECONDS = 300.0
SHARE_OF_SECRETS = 100
LONGEST_REASON = 500

STEPS: dict[stages.Step, tuple[ChannelHealth.Stage, AlertKind]] = {
    "failing": (Stage.FAILING, Kind.FAILING),
    "warned": (Stage.WARNED, Kind.STILL_FAILING),
    "last_warned": (Stage.LAST_WARNED, Kind.LAST_WARNING),
}

_secrets_at = 0.0  # monotonic, in this process


def watch() -> None:
    """Write what is to be told now, and pause the channels that have failed for too long.

    Raises `django.db.Error` when PostgreSQL is away; what was written until then stands.
    """
    failing_channels()
    recovered_channels()
    late, unfinished = waiting.lateness(), _unfinished()
    late_deliveries(late, unfinished)
    slow_receivers(late, unfinished)
    lost_secrets()


def failing_channels() -> None:
    """Take the next step about each channel that goes on failing: see `stages`."""
    for channel_id in stages.next_steps():
        with transaction.atomic():
            try:
                channel = lock_channel(channel_id)
            except Channel.DoesNotExist:
                continue  # deleted meanwhile
            health = ChannelHealth.objects.select_for_update().get(channel=channel)
            step = stages.next_steps(channel_id).get(channel_id)
            if step == "pause":
                pause_channel(channel_id=channel_id, reason=_pause_reason(health), by=history.TIDINGS)
            elif step is not None:
                stage, kind = STEPS[step]
                ChannelHealth.objects.filter(pk=channel_id).update(stage=stage, stage_at=Now())
                write(kind, channel_id=channel_id)
                log.info("channel_still_failing", channel_id=channel_id, stage=str(stage))


def recovered_channels() -> None:
    """Tell those who were told that a channel fails that it no longer does, once it is active and well."""
    fails = Q(channel__health__failures_in_row__gte=FAILURES_BEFORE_PROBING)
    over = Q(channel__archived_at__isnull=False) | (Q(channel__paused_at=None) & ~fails)
    told = Alert.objects.filter(over, open=True, kind__in=FAILING_KINDS)
    for channel_id in told.order_by("channel_id").values_list("channel_id", flat=True).distinct():
        with transaction.atomic():
            channel = Channel.objects.select_for_update(no_key=True).get(pk=channel_id)
            health = ChannelHealth.objects.select_for_update().filter(channel=channel).first()
            if channel.archived_at:
                _open(FAILING_KINDS, channel_id).update(open=False)
            elif channel.paused_at is None and not (health and health.failing):
                _tell_the_end(FAILING_KINDS, Kind.RECOVERED, channel_id)


def late_deliveries(late: Lateness | None = None, unfinished: Collection[Unfinished] | None = None) -> None:
    """Tell that the oldest delivery that could be sent now is too old: at once, after an hour, then daily; and its end.

    What was seen just now may be given.
    """
    oldest = (waiting.lateness() if late is None else late).oldest_sendable
    is_late = oldest is not None and oldest.sendable_seconds > monitoring.LONGEST_WAIT_SECONDS
    unfinished = _unfinished() if unfinished is None else unfinished
    if not is_late and not any(kind in LATE_KINDS for kind, _ in unfinished):
        return
    with transaction.atomic():
        if not try_lock("alerts: late deliveries"):
            return
        if is_late and oldest:
            _tell_of_late(oldest.sendable_seconds)
        else:
            _tell_the_end(LATE_KINDS, Kind.ON_TIME, None)


def _tell_of_late(seconds: float) -> None:
    now = database_now()
    told = list(_open(LATE_KINDS, None).order_by("created_at").values_list("created_at", flat=True))
    if told and now < told[-1] + (LATE_AGAIN_AFTER if len(told) == 1 else LATE_THEN_EVERY):
        return
    since = now - timedelta(seconds=seconds)
    write(Kind.OVERDUE, facts={"seconds": seconds, "since": since.isoformat()})


def slow_receivers(late: Lateness | None = None, unfinished: Collection[Unfinished] | None = None) -> None:
    """Tell of each channel at its cap that is behind and falls further behind, once; and that it has caught up.

    One that is behind is looked at again after a while: only where more waits then is it slower than what comes in,
    while a backlog that shrinks needs nobody. What was seen just now may be given.
    """
    late = waiting.lateness() if late is None else late
    after = BEHIND_AFTER.total_seconds()
    behind = {each.channel_id for each in late.worst if each.reason == "cap" and each.seconds > after}
    unfinished = _unfinished() if unfinished is None else unfinished
    known = {channel_id for _, channel_id in unfinished if channel_id is not None}
    for channel_id in sorted(behind | known):
        with transaction.atomic():
            channel = Channel.objects.select_for_update(no_key=True).get(pk=channel_id)
            if channel.archived_at:
                _open(SLOW_KINDS, channel_id).update(open=False)
                ChannelBacklog.objects.filter(pk=channel_id).delete()
            elif _open(SLOW_KINDS, channel_id).exists():
                if channel.paused_at is None and not is_behind(channel_id):
                    _tell_the_end(SLOW_KINDS, Kind.CAUGHT_UP, channel_id)
            elif channel_id in behind:
                _compare(channel_id)
            elif not is_behind(channel_id):
                ChannelBacklog.objects.filter(pk=channel_id).delete()


def _compare(channel_id: str) -> None:
    """With what waited at the last look at this channel, unless that was just now."""
    due = stats.channel_backlogs([channel_id], at_most=COMPARED_AT_MOST)[channel_id].due
    before = ChannelBacklog.objects.filter(pk=channel_id).first()
    if before is None:
        ChannelBacklog.objects.create(channel_id=channel_id, due=due)
        return
    seen = ChannelBacklog.objects.filter(pk=channel_id, seen_at__lte=Now() - COMPARED_AFTER)
    if seen.update(due=due, seen_at=Now()) and (due > before.due or due > COMPARED_AT_MOST):
        write(Kind.SLOW, channel_id=channel_id, facts={"due_before": before.due, "due": due})
        ChannelBacklog.objects.filter(pk=channel_id).delete()


def lost_secrets() -> None:
    """Tell of active channels that are to be sent something and cannot be, because the key of their secrets is lost.

    Looks at most every few minutes in each process, and less often where that takes long.
    """
    global _secrets_at
    began = time.monotonic()
    if began < _secrets_at:
        return
    _secrets_at = began + SECRETS_EVERY_SECONDS
    for alert in Alert.objects.filter(open=True, kind=Kind.UNREADABLE).select_related("channel"):
        if alert.channel is None or alert.channel.archived_at or alert.channel.is_readable:
            Alert.objects.filter(pk=alert.pk).update(open=False)
    for channel_id in [channel.pk for channel in _used_channels().iterator() if not channel.is_readable]:
        with transaction.atomic():
            try:
                channel = lock_channel(channel_id)
            except Channel.DoesNotExist:
                continue  # deleted meanwhile
            known = _open((Kind.UNREADABLE,), channel_id).exists()
            if not (known or channel.paused_at or channel.is_readable):
                write(Kind.UNREADABLE, channel_id=channel_id)
    took = time.monotonic() - began
    _secrets_at = began + max(SECRETS_EVERY_SECONDS, SHARE_OF_SECRETS * took)


def _tell_the_end(troubles: Collection[AlertKind], end: AlertKind, channel_id: str | None) -> None:
    """Tell each target of the end whose latest news is the trouble; once there is none of them, nothing is open.

    Call it with the cause locked. What still waits to be told of the trouble has its turn at once, which withdraws it.
    """
    trouble = _open(troubles, channel_id)
    of_trouble = AlertDelivery.objects.filter(event__alert__in=trouble)
    waiting = of_trouble.filter(status="pending")
    # What is told with another alert waits for that one, however long its target is away; others are told meanwhile.
    alone = waiting.filter(event__alert__told_with=None)
    if alone.exists():
        AlertDelivery.objects.filter(pk__in=alone.values("pk"), lease_token=None).update(next_attempt_at=Now())
        return  # until then it is not known who was told
    told = _latest(of_trouble.filter(status="succeeded"))
    ends = AlertDelivery.objects.filter(event__alert__kind=end, event__alert__channel_id=channel_id)
    # Before what is sent is looked at: what is sent in between is found twice, not missed.
    on_its_way = set(ends.filter(status="pending").values_list("channel_id", flat=True))
    told_of_end = _latest(ends.exclude(IS_WITHDRAWN))
    present = set(targets_for(channel_id)) - _paused_targets()
    uninformed = {target for target, at in told.items() if target in present and (told_of_end.get(target) or at) <= at}
    if not uninformed:
        if not waiting.exists():
            trouble.update(open=False)
        return
    if missing := uninformed - on_its_way:
        since = [facts["since"] for facts in trouble.values_list("facts", flat=True) if "since" in facts]
        write(end, channel_id=channel_id, facts={"since": min(since)} if since else {}, targets=missing)


def _unfinished() -> list[Unfinished]:
    """The kinds and channels of open alerts about lateness, and ("", a channel) for each that was seen behind."""
    told = Alert.objects.filter(open=True, kind__in=(*LATE_KINDS, *SLOW_KINDS)).order_by()
    seen = ChannelBacklog.objects.annotate(kind=Value("", output_field=CharField()))
    return list(told.values_list("kind", "channel_id").union(seen.values_list("kind", "channel_id"), all=True))


def _open(kinds: Collection[AlertKind], channel_id: str | None) -> QuerySet[Alert]:
    return Alert.objects.filter(open=True, kind__in=kinds, channel_id=channel_id)


def _latest(deliveries: QuerySet[AlertDelivery]) -> dict[str, datetime]:
    """When the last of these was finished for each target, as far as it has one."""
    finished = deliveries.filter(finished_at__isnull=False).order_by()
    return dict(finished.values_list("channel_id").annotate(at=Max("finished_at")))


def _paused_targets() -> set[str]:
    return set(AlertChannel.objects.filter(channel__paused_at__isnull=False).values_list("channel_id", flat=True))


def _used_channels() -> QuerySet[Channel]:
    """The active ones with secrets that are attached to an event type or told of alerts."""
    used = Exists(EventChannel.objects.filter(channel=OuterRef("pk"))) | Exists(
        AlertChannel.objects.filter(channel=OuterRef("pk"))
    )
    plain = Q(encrypted_url="", encrypted_headers="", encrypted_secret="", encrypted_settings="")
    return Channel.objects.filter(used, archived_at=None, paused_at=None).exclude(plain).order_by("pk")


def _pause_reason(health: ChannelHealth) -> str:
    """Of at most 500 characters: what is to be done stands before the error, which may be long."""
    since = f"since {in_zone(health.failing_since)}, " if health.failing_since else ""
    reason = (
        f"It had failed {since}{health.failures_in_row} times in a row. Everything is held. Mend the receiver or "
        f"correct the address, send a test, then resume the channel. Latest failure: {one_line(health.latest_error)}"
    )
    return cut(reason, LONGEST_REASON)
