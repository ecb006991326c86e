"""Gives out the copies that are due, one by one, and judges each at its turn: whether it is still to be sent."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from channels_app.encryption import SecretUnreadable
from channels_app.transports import Destination, Message
from notifications import monitoring, waiting
from notifications.alert_raising import FAILING_KINDS, at_most_every
from notifications.alert_targets import NOBODY, recipients
from notifications.alerts.wording import Words, freeze, notice
from notifications.database_time import database_now
from notifications.models import Alert, AlertChannel, AlertCopy, ChannelHealth

Kind = Alert.Kind

# Whoever claims a copy has this long to record how it went, beside the time for sending; then another takes it up.
SENDING_TIME = timedelta(minutes=5)

NO_LONGER_SO = "It was no longer so when its turn came."
REPLACED = "A newer one took its place."
TARGET_DELETED = "The channel was deleted."
TARGET_LEFT_OUT = "The channel is no longer chosen for alerts."
TARGET_PAUSED = "The channel is paused."


@dataclass(frozen=True)
class Claimed:
    """A copy that is to be sent now, with all that this takes, so that it takes no database.

    `destination` is None where there is none to send to, which `problem` says.
    """

    copy_id: str
    tries: int
    alert_id: str
    kind: str
    target: str | None
    destination: Destination | None
    problem: str
    message: Message
    now: datetime  # the database's


def claim(*, but: Collection[str | None] = ()) -> Claimed | None:
    """The copy that has been due for longest and is still to be sent, to none of the targets in `but`; None: no more.

    What is no longer to be sent is withdrawn on the way.
    """
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                # One at a time: two copies of one cause to one target would not see each other.
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('alerts: a claim', 0))")
            copy = _longest_due(but)
            if copy is None:
                return None
            alert = copy.alert
            if alert.body is None:
                freeze(alert)
                alert.save(update_fields=["facts", "words", "body"])
            if reason := _why_not(copy):
                _withdraw(copy, reason)
            elif (wait_until := _not_before(copy)) is not None:
                AlertCopy.objects.filter(pk=copy.pk).update(next_try_at=wait_until)
            else:
                return _claimed(copy)


def _longest_due(but: Collection[str | None]) -> AlertCopy | None:
    apart = Q(channel_id__in=[target for target in but if target is not None])
    if None in but:
        apart |= Q(channel_id=None)
    # With its alert, which is written before its copies everywhere; neither is waited for.
    due = AlertCopy.objects.select_for_update(skip_locked=True, no_key=True, of=("self", "alert"))
    due = due.select_related("alert__channel__health", "channel")
    return due.filter(next_try_at__lte=Now()).exclude(apart).order_by("next_try_at", "id").first()


def _why_not(copy: AlertCopy) -> str:
    """Why this copy is not to be sent at all; "": it is."""
    target = copy.channel
    if target is not None:
        if target.archived_at:
            return TARGET_DELETED
        if not AlertChannel.objects.filter(channel=target).exists():
            return TARGET_LEFT_OUT
        if target.paused_at:
            return TARGET_PAUSED
    if not still_true(copy.alert):
        return NO_LONGER_SO
    newer = _others(copy, FAILING_KINDS if copy.alert.kind in FAILING_KINDS else (copy.alert.kind,))
    if newer.filter(alert__created_at__gt=copy.alert.created_at, withdrawn_at=None).exists():
        return REPLACED
    return ""


def still_true(alert: Alert) -> bool:
    """Whether things are as the alert says. Reads its channel's health."""
    if alert.kind == Kind.TEST:
        return True
    if alert.kind in {Kind.OVERDUE, Kind.ON_TIME}:
        return deliveries_are_late() == (alert.kind == Kind.OVERDUE)
    channel = alert.channel
    if channel is None or channel.archived_at:
        return False
    if alert.kind == Kind.LOST:
        return True
    if alert.kind == Kind.PAUSED:
        return channel.paused_at is not None
    if channel.paused_at:
        return False
    if alert.kind in {Kind.SLOW, Kind.CAUGHT_UP}:
        return is_behind(channel.pk) == (alert.kind == Kind.SLOW)
    if alert.kind == Kind.UNREADABLE:
        return not channel.is_readable
    return ChannelHealth.of(channel).failing == (alert.kind in FAILING_KINDS)


def deliveries_are_late() -> bool:
    oldest = waiting.lateness().oldest_sendable
    return oldest is not None and oldest.sendable_seconds > monitoring.LONGEST_WAIT_SECONDS


def is_behind(channel_id: str) -> bool:
    """Whether the oldest due delivery of a channel waits for longer than any should."""
    return waiting.of_channel(channel_id) > monitoring.LONGEST_WAIT_SECONDS


def _others(copy: AlertCopy, kinds: Collection[str]) -> QuerySet[AlertCopy]:
    """Those of these kinds, about the same channel, to the same target."""
    others = AlertCopy.objects.filter(
        channel_id=copy.channel_id, alert__kind__in=kinds, alert__channel_id=copy.alert.channel_id
    )
    return others.exclude(pk=copy.pk)


def _not_before(copy: AlertCopy) -> Any:
    """Until when this copy has to wait for another of its cause to the same target; None: it may go."""
    others = _others(copy, (copy.alert.kind,))
    in_flight = others.filter(claimed_at__isnull=False, next_try_at__gt=Now()).order_by("-next_try_at").first()
    if in_flight:
        return in_flight.next_try_at
    pause = at_most_every(copy.alert.kind)
    sent = others.filter(sent_at__gt=Now() - pause).order_by("-sent_at").first()
    return sent.sent_at + pause if sent and sent.sent_at else None


def _withdraw(copy: AlertCopy, reason: str) -> None:
    """What some recipients have counts as sent: they are told of the end of it."""
    ended = "sent_at" if copy.reached else "withdrawn_at"
    AlertCopy.objects.filter(pk=copy.pk).update(
        next_try_at=None, claimed_at=None, error=f"{copy.error} {reason}" if copy.reached else reason, **{ended: Now()}
    )


def _claimed(copy: AlertCopy) -> Claimed:
    copy.tries += 1
    sending_time = SENDING_TIME + timedelta(seconds=settings.POSTBACK_TIMEOUT_SECONDS)
    AlertCopy.objects.filter(pk=copy.pk).update(tries=copy.tries, claimed_at=Now(), next_try_at=Now() + sending_time)
    now = database_now()
    destination, problem = _destination(copy, now)
    words = Words.of(copy.alert)
    return Claimed(
        copy_id=copy.pk,
        tries=copy.tries,
        alert_id=copy.alert_id,
        kind=copy.alert.kind,
        target=copy.channel_id,
        destination=destination,
        problem=problem,
        message=Message(
            id=copy.alert_id,
            body=(copy.alert.body or "").encode(),
            delivery_id=copy.pk,
            notice=lambda: notice(words, administrators=copy.channel_id is None),
            reached=tuple(copy.reached),
        ),
        now=now,
    )


def _destination(copy: AlertCopy, now: datetime) -> tuple[Destination | None, str]:
    if copy.channel is None:
        addresses = recipients()
        return (Destination(kind="email", url="", recipients=tuple(addresses)), "") if addresses else (None, NOBODY)
    try:
        return copy.channel.destination(now=now), ""
    except SecretUnreadable as error:
        return None, str(error)
