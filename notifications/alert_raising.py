"""Writes down what is to be told, with a delivery for each target. One cause (a kind and a channel) waits once."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import DateTimeField, Max, Value
from django.db.models.functions import Greatest, Now

from channels_app.models import Channel
from notifications import history
from notifications.alert_targets import targets_for
from notifications.errors import Conflict
from notifications.events.alerts import ALERT_TYPES, AlertKind
from notifications.metrics import instruments
from notifications.models import Alert, AlertDelivery, Event, new_alert_id
from orders.locks import take_lock
from orders.models import Source

Kind = AlertKind

AT_MOST_EVERY = timedelta(hours=1)
TEST_AT_MOST_EVERY = timedelta(minutes=1)
# What may hit many channels at once waits for so long, so that it is told in one.
TOGETHER_WITHIN = timedelta(seconds=30)
# What tells that a channel fails, that deliveries are late, that a receiver is slow: their end is told as well.
FAILING_KINDS = (Kind.FAILING, Kind.STILL_FAILING, Kind.LAST_WARNING)
LATE_KINDS = (Kind.OVERDUE,)
SLOW_KINDS = (Kind.SLOW,)
# While what they tell of lasts, or its end is to be told, alerts of these kinds are open.
OPEN_KINDS = (*FAILING_KINDS, *LATE_KINDS, *SLOW_KINDS, Kind.UNREADABLE)

# One that nobody has been sent yet takes the newer facts.
WRITE = """
INSERT INTO notifications_alert AS waiting (id, kind, channel_id, facts, words, open, created_at)
VALUES (%(id)s, %(kind)s, %(channel)s, %(facts)s, '{}', %(open)s, statement_timestamp())
ON CONFLICT (coalesce(channel_id, ''), kind) WHERE body IS NULL DO UPDATE
SET facts = excluded.facts, open = excluded.open, created_at = excluded.created_at
RETURNING id, created_at
"""


def channel_failing(*, channel_id: str) -> None:
    """A channel starts to fail. Call it in the transaction that says so, with the row of its health locked."""
    write(Kind.FAILING, channel_id=channel_id)


def channel_paused(*, channel: Channel, by: str, reason: str) -> None:
    """An active channel was paused by this person, API key or Tidings. Call it in the transaction of the change."""
    write(Kind.PAUSED, channel_id=channel.pk, facts={"by": by, "reason": reason})


def deliveries_lost(*, channel_id: str, number: int) -> None:
    """So many deliveries have failed since no worker outlived them. Call it in the transaction that says so."""
    waiting = Alert.objects.filter(kind=Kind.LOST, channel_id=channel_id, body=None).first()
    before = waiting.facts.get("number", 0) if waiting else 0
    write(Kind.LOST, channel_id=channel_id, facts={"number": before + number})


@transaction.atomic
def write_test(*, by: str) -> Alert:
    """Send an alert that says nothing to every target. Raises `Conflict` within a minute of the last one."""
    take_lock("alerts: a test")
    if Alert.objects.filter(kind=Kind.TEST, created_at__gt=Now() - TEST_AT_MOST_EVERY).exists():
        raise Conflict("A test alert was sent within the last minute. Wait a moment.")
    alert = Alert.objects.get(pk=write(Kind.TEST, facts={"by": by}))
    history.record(action=history.Action.TESTED, by=by, sentence="A test alert was sent to all who are told of alerts.")
    return alert


def write(
    kind: AlertKind,
    *,
    channel_id: str | None = None,
    facts: dict[str, Any] | None = None,
    targets: Collection[str] | None = None,
) -> str:
    """Have this told to `targets` (all of them by default): at once, or an hour after the last one of its cause.

    What may hit many channels at once waits for others of its kind, so that it is told in one alert.

    Call it in the transaction of the cause. Returns the id of the alert, which is that of one of the same cause where
    nobody has been sent that yet.
    """
    with transaction.atomic():
        new_id = new_alert_id()
        with connection.cursor() as cursor:
            cursor.execute(
                WRITE,
                {
                    "id": new_id,
                    "kind": kind,
                    "channel": channel_id,
                    "facts": connection.ops.adapt_json_value(facts or {}, None),
                    "open": kind in OPEN_KINDS,
                },
            )
            alert_id: str
            alert_id, created_at = cursor.fetchone()
        Event.every.update_or_create(
            pk=alert_id,
            defaults={"type": kind.key, "source": Source.ADMIN, "created_at": created_at},
        )
        targets = set(targets_for(channel_id) if targets is None else targets)
        # The alert is locked until the end of the transaction, so nobody else adds to them.
        targets -= set(AlertDelivery.objects.filter(event_id=alert_id).values_list("channel_id", flat=True))
        told = _last_told(kind, channel_id)
        wait = TOGETHER_WITHIN if may_be_joined(kind, facts or {}) else timedelta()
        AlertDelivery.objects.bulk_create(
            AlertDelivery(
                event_id=alert_id,
                event_type=kind.key,
                channel_id=target,
                is_alert=True,
                next_attempt_at=_due(kind, wait, told.get(target)),
            )
            for target in sorted(targets)
        )
        if alert_id == new_id:
            transaction.on_commit(lambda: instruments.alert_written(kind=str(kind)), robust=True)
    return alert_id


def may_be_joined(kind: str, facts: Mapping[str, Any]) -> bool:
    """Whether this is told together with others of its kind. Of a pause by a person each says who did it and why."""
    by_a_person = kind == Kind.PAUSED and facts.get("by") != history.TIDINGS
    return bool(ALERT_TYPES[AlertKind(kind).key].title_of_many) and not by_a_person


def at_most_every(kind: str) -> timedelta:
    """How long a target is left alone after an alert of one cause."""
    return TEST_AT_MOST_EVERY if kind == Kind.TEST else AT_MOST_EVERY


def _last_told(kind: str, channel_id: str | None) -> dict[str, datetime]:
    """When each target was last sent an alert of this cause."""
    sent = AlertDelivery.objects.filter(
        event__alert__kind=kind, event__alert__channel_id=channel_id, status=AlertDelivery.Status.SUCCEEDED
    )
    return dict(sent.order_by().values_list("channel_id").annotate(Max("finished_at")))


def _due(kind: str, wait: timedelta, last_told: datetime | None) -> Any:
    soonest = Now() + Value(wait)
    if last_told is None:
        return soonest
    return Greatest(soonest, Value(last_told + at_most_every(kind), output_field=DateTimeField()))
