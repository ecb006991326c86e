"""Judges alerts at their turn: the engine has claimed them, and asks which of them are not to be sent now."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Max, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from channels_app.transports import Outcome
from notifications import monitoring, waiting
from notifications.alert_raising import FAILING_KINDS, TOGETHER_WITHIN, at_most_every
from notifications.alerts.joining import waiting_with
from notifications.alerts.wording import freeze
from notifications.database_time import database_now
from notifications.models import IS_WITHDRAWN, Alert, AlertChannel, AlertDelivery, ChannelHealth
from orders.locks import try_lock

log = structlog.get_logger(__name__)

Kind = Alert.Kind
Status = AlertDelivery.Status

NO_LONGER_SO = "It was no longer so when its turn came."
REPLACED = "A newer one took its place."
TARGET_DELETED = "The channel was deleted."
TARGET_LEFT_OUT = "The channel is no longer chosen for alerts."
TARGET_PAUSED = "The channel is paused."
# What cannot be judged now, since another process is at it, has its turn again after this; what is told with another
# alert so long after that one; and what could not be judged because of a fault after a minute.
A_MOMENT = timedelta(seconds=1)
AFTER_A_FAULT = timedelta(minutes=1)
TOLD = {"status": Status.SUCCEEDED, "outcome": Outcome.SUCCEEDED, "error": "", "next_attempt_at": None}


def pass_over(delivery_ids: Sequence[str], *, lease_token: UUID) -> set[str]:
    """Give back those of these claimed deliveries of alerts that are not to be sent now. Returns their ids.

    What is no longer so, or no longer to be told to this target, is withdrawn; what was told within the hour is due
    again when that is over. The words and the body of an alert are frozen at the first turn of one of its deliveries.
    Raises nothing: what could not be judged is returned as well, and due again in a minute.
    """
    if not delivery_ids:
        return set()
    try:
        return _pass_over(delivery_ids, lease_token)
    except Exception:
        log.exception("alerts_not_judged", deliveries=list(delivery_ids))
        connection.close()
        with suppress(Error):  # then the leases run out
            _end_leases(_ours(delivery_ids, lease_token), next_attempt_at=Now() + AFTER_A_FAULT)
        return set(delivery_ids)


@transaction.atomic
def _pass_over(delivery_ids: Sequence[str], lease_token: UUID) -> set[str]:
    ours = _ours(delivery_ids, lease_token)
    # One at a time: two deliveries of one cause to one target would not see each other.
    if not try_lock("alerts: a claim"):
        _end_leases(ours, next_attempt_at=Now() + A_MOMENT)
        return set(delivery_ids)
    passed = set()
    for delivery in ours.select_related("channel").order_by("next_attempt_at", "id"):
        try:
            with transaction.atomic():
                go = _has_its_turn(delivery)
        except (OperationalError, InterfaceError):
            raise
        except Exception as fault:
            # One that cannot be judged keeps no others from it.
            log.exception("alert_not_judged", alert_id=delivery.event_id, delivery_id=delivery.pk)
            go = False
            _end_lease(
                delivery, next_attempt_at=Now() + AFTER_A_FAULT, error=f"A fault of Tidings: {type(fault).__name__}."
            )
        if not go:
            passed.add(delivery.pk)
    return passed


def _has_its_turn(delivery: AlertDelivery) -> bool:
    """Whether it is to be sent now. Else it is withdrawn, given back, or was told with another one."""
    # One that a newer alert of its cause is just taking the place of comes again in a moment.
    locked = Alert.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    alert = locked.select_related("channel__health").filter(pk=delivery.event_id).first()
    if alert is None:
        if Alert.objects.filter(pk=delivery.event_id).exists():
            _give_back(delivery, due=Now() + A_MOMENT)
        else:
            _withdraw(delivery, NO_LONGER_SO)
        return False
    if alert.body is None:  # even if it is withdrawn: what is so later is another alert
        _freeze(alert)
    if alert.told_with_id and _is_told(delivery, alert.told_with_id):
        return False
    if reason := _why_not(delivery, alert):
        _withdraw(delivery, reason)
    elif (due := _not_before(delivery, alert)) is not None:
        _give_back(delivery, due=due)
    else:
        return True
    return False


def _ours(delivery_ids: Sequence[str], lease_token: UUID) -> QuerySet[AlertDelivery]:
    return AlertDelivery.objects.filter(pk__in=delivery_ids, lease_token=lease_token)


def _freeze(alert: Alert) -> None:
    """With the others that wait to be told of the same, where they are many. Each has words of its own as well, for
    those who are not told of this one.
    """
    others = waiting_with(alert, is_so=still_true)
    for other in others:
        other.told_with = alert
        freeze(other)
        other.save(update_fields=["facts", "words", "body", "told_with"])
    freeze(alert, others)
    alert.save(update_fields=["facts", "words", "body"])


def _is_told(delivery: AlertDelivery, told_with: str) -> bool:
    """Whether this target is told of it with another alert: then it has ended with that one, or waits for it."""
    other = AlertDelivery.objects.filter(event_id=told_with, channel_id=delivery.channel_id).first()
    if other is None or other.status == Status.FAILED:
        return False
    if other.next_attempt_at is None:
        _end_lease(delivery, **TOLD, finished_at=other.finished_at)
    else:
        _give_back(delivery, due=max(other.next_attempt_at, database_now()) + A_MOMENT)
    return True


def settle(alert_id: str, *, channel_id: str, succeeded: bool, wait_seconds: float | None) -> None:
    """An alert was sent to this target, or could not be: what else waits for it goes at once, or as late as that one.

    Those that it spoke of as well are told. `wait_seconds` is until the next attempt, None where there is none. Call it
    in the transaction that records it.
    """
    if succeeded:
        _waiting(channel_id, event__alert__told_with=alert_id).update(**TOLD, finished_at=Now())
        put_off = {"next_attempt_at__gt": Now(), "event__alert__created_at__lt": Now() - TOGETHER_WITHIN * 2}
        _waiting(channel_id, **put_off).update(next_attempt_at=Now())
    elif wait_seconds is not None:
        until = Now() + timedelta(seconds=wait_seconds)
        _waiting(channel_id, next_attempt_at__lt=until).update(next_attempt_at=until)


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


def _why_not(delivery: AlertDelivery, alert: Alert) -> str:
    """Why this alert is not to be sent to this target at all; "": it is."""
    target = delivery.channel
    if not target.system:
        if target.archived_at:
            return TARGET_DELETED
        if not AlertChannel.objects.filter(channel=target).exists():
            return TARGET_LEFT_OUT
        if target.paused_at:
            return TARGET_PAUSED
    if not still_true(alert):
        return NO_LONGER_SO
    newer = _others(delivery, alert, FAILING_KINDS if alert.kind in FAILING_KINDS else (alert.kind,))
    if newer.filter(event__alert__created_at__gt=alert.created_at).exclude(IS_WITHDRAWN).exists():
        return REPLACED
    return ""


def _others(delivery: AlertDelivery, alert: Alert, kinds: Collection[str]) -> QuerySet[AlertDelivery]:
    """Those of these kinds, about the same channel, to the same target."""
    others = AlertDelivery.objects.filter(
        channel_id=delivery.channel_id, event__alert__kind__in=kinds, event__alert__channel_id=alert.channel_id
    )
    return others.exclude(pk=delivery.pk)


def _not_before(delivery: AlertDelivery, alert: Alert) -> datetime | None:
    """Until when it has to wait for what this target was sent of its cause; None: it may go."""
    sent = _others(delivery, alert, (alert.kind,)).filter(status=Status.SUCCEEDED).aggregate(at=Max("finished_at"))
    if sent["at"] is None:
        return None
    until: datetime = sent["at"] + at_most_every(alert.kind)
    return until if until > database_now() else None


def _withdraw(delivery: AlertDelivery, reason: str) -> None:
    """What some recipients have counts as sent: they are told of the end of it."""
    how = {"status": Status.FAILED, "outcome": "", "status_code": None, "error": reason}
    if delivery.reached:
        how = {"status": Status.SUCCEEDED, "error": f"{delivery.error} {reason}".strip()}
    _end_lease(delivery, next_attempt_at=None, finished_at=Now(), **how)


def _give_back(delivery: AlertDelivery, *, due: datetime | Combinable) -> None:
    _end_lease(delivery, next_attempt_at=due)


def _end_lease(delivery: AlertDelivery, **how: Any) -> None:
    _end_leases(AlertDelivery.objects.filter(pk=delivery.pk, lease_token=delivery.lease_token), **how)


def _end_leases(ours: QuerySet[AlertDelivery], **how: Any) -> None:
    """Without an attempt: none was begun."""
    ours.update(lease_token=None, lease_expires_at=None, attempts_made=F("attempts_made") - 1, **how)


def _waiting(channel_id: str, **which: Any) -> QuerySet[AlertDelivery]:
    """What waits for this target and nobody is sending or judging at this moment."""
    waiting = AlertDelivery.objects.filter(channel_id=channel_id, status=Status.PENDING, lease_token=None, **which)
    keys = waiting.select_for_update(skip_locked=True, of=("self",)).order_by("pk").values_list("pk", flat=True)
    return AlertDelivery.objects.filter(pk__in=list(keys))
