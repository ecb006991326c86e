"""Looks for what lasts and for what is over: channels that go on failing, late deliveries, secrets that are lost.

Called every few seconds. It looks at everything, so that neither a restart nor a time without beat makes it miss
something, and decides about each channel again with its rows locked, so that two at once do each thing once. Lock order
as everywhere: channel, its health, then what is written.
"""

import time
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Now

from channels_app.models import Channel
from channels_app.services import lock_channel
from notifications import history, monitoring, stats
from notifications.alerts import stages
from notifications.alerts.facts import in_zone, one_line
from notifications.alerts.targets import targets_for
from notifications.alerts.writing import FAILING_KINDS, LATE_KINDS, write
from notifications.models import FAILURES_BEFORE_PROBING, Alert, AlertChannel, AlertCopy, ChannelHealth, EventChannel
from notifications.pausing import pause_channel

log = structlog.get_logger(__name__)

Kind = Alert.Kind
Stage = ChannelHealth.Stage

# Deliveries that are late are told at once, after this, and then every so often as they last.
LATE_AGAIN_AFTER = timedelta(hours=1)
LATE_THEN_EVERY = timedelta(days=1)
# Reading the secrets of every channel takes a while where there are thousands.
SECRETS_EVERY_SECONDS = 300.0
SHARE_OF_SECRETS = 100
LONGEST_REASON = 500

STEPS: dict[stages.Step, tuple[ChannelHealth.Stage, Alert.Kind]] = {
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
    late_deliveries()
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


def late_deliveries() -> None:
    """Tell that the oldest due delivery is too old: at once, after an hour, then daily; and that it is over."""
    oldest = stats.oldest_due()
    late = oldest is not None and oldest.seconds > monitoring.LONGEST_WAIT_SECONDS
    if not late and not _open(LATE_KINDS, None).exists():
        return
    with transaction.atomic():
        if not _have_this_alone("late deliveries"):
            return
        if late and oldest:
            _tell_of_late(oldest.seconds)
        else:
            _tell_the_end(LATE_KINDS, Kind.ON_TIME, None)


def _tell_of_late(seconds: float) -> None:
    now = _now()
    told = list(_open(LATE_KINDS, None).order_by("created_at").values_list("created_at", flat=True))
    if told and now < told[-1] + (LATE_AGAIN_AFTER if len(told) == 1 else LATE_THEN_EVERY):
        return
    since = now - timedelta(seconds=seconds)
    write(Kind.OVERDUE, facts={"seconds": seconds, "since": since.isoformat()})


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


def _tell_the_end(troubles: Collection[Alert.Kind], end: Alert.Kind, channel_id: str | None) -> None:
    """Tell each target of the end whose latest news is the trouble; once there is none of them, nothing is open.

    Call it with the cause locked. What still waits to be told of the trouble has its turn at once, which withdraws it.
    """
    trouble = _open(troubles, channel_id)
    waiting = AlertCopy.objects.filter(alert__in=trouble, next_try_at__isnull=False)
    if waiting.exists():
        waiting.filter(Q(claimed_at=None) | Q(next_try_at__lte=Now())).update(next_try_at=Now())
        return  # until then it is not known who was told
    told = _latest(AlertCopy.objects.filter(alert__in=trouble), F("sent_at"))
    ends = AlertCopy.objects.filter(alert__kind=end, alert__channel_id=channel_id)
    # Before what is sent is looked at: what is sent in between is found twice, not missed.
    on_its_way = set(ends.filter(next_try_at__isnull=False).values_list("channel_id", flat=True))
    told_of_end = _latest(ends, Coalesce("sent_at", "given_up_at"))
    present = set(targets_for(channel_id)) - _paused_targets()
    uninformed = {target for target, at in told.items() if target in present and (told_of_end.get(target) or at) <= at}
    if not uninformed:
        trouble.update(open=False)
        return
    if missing := uninformed - on_its_way:
        since = [facts["since"] for facts in trouble.values_list("facts", flat=True) if "since" in facts]
        write(end, channel_id=channel_id, facts={"since": min(since)} if since else {}, targets=missing)


def _open(kinds: Collection[Alert.Kind], channel_id: str | None) -> QuerySet[Alert]:
    return Alert.objects.filter(open=True, kind__in=kinds, channel_id=channel_id)


def _latest(copies: QuerySet[AlertCopy], at: Combinable) -> dict[str | None, datetime]:
    """When each target had the last of these copies, as far as it had one."""
    ended = copies.order_by().values_list("channel_id").annotate(at=Max(at))
    return {target: at for target, at in ended if at is not None}


def _paused_targets() -> set[str | None]:
    return set(AlertChannel.objects.filter(channel__paused_at__isnull=False).values_list("channel_id", flat=True))


def _used_channels() -> QuerySet[Channel]:
    """The active ones with secrets that are attached to an event type or told of alerts."""
    used = Exists(EventChannel.objects.filter(channel=OuterRef("pk"))) | Exists(
        AlertChannel.objects.filter(channel=OuterRef("pk"))
    )
    plain = Q(encrypted_url="", encrypted_headers="", encrypted_secret="")
    return Channel.objects.filter(used, archived_at=None, paused_at=None).exclude(plain).order_by("pk")


def _pause_reason(health: ChannelHealth) -> str:
    """Of at most 500 characters: what is to be done stands before the error, which may be long."""
    since = f"since {in_zone(health.failing_since)}, " if health.failing_since else ""
    reason = (
        f"It had failed {since}{health.failures_in_row} times in a row. Everything is held. Mend the receiver or "
        f"correct the address, send a test, then resume the channel. Latest failure: {one_line(health.latest_error)}"
    )
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"


def _have_this_alone(what: str) -> bool:
    """Whether no other process is at it; until the end of the transaction none will be."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"alerts: {what}"])
        return bool(cursor.fetchone()[0])


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
