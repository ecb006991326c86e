"""Forgets events, with their deliveries and attempts, after `RETENTION_DAYS`; never one that is still to be sent.

The counts that statistics are made of, the alerts, but for those of what still lasts, and the finished replays go as
well. The history of who did what stays.

Each batch is one short transaction that waits for no lock: an event goes whole in it or stays whole. A run walks from
the oldest row on and passes each once, whether it goes or stays: neither a backlog that is held nor rows that vacuum
cannot remove yet are read again for every batch.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError, connection, models, transaction
from django.db.models import Q

from notifications.events.alerts import ALERT_PREFIX
from notifications.models import Alert, ChannelHour, Event, ReplayJob
from notifications.tally import take_back
from orders.locks import try_lock, waited_too_long

log = structlog.get_logger(__name__)

# How many rows a transaction passes: some tens of milliseconds.
BATCH = 500
# Locked rows are skipped; this is for a lock of a whole table, as a migration takes it.
LOCK_TIMEOUT = "500ms"

# Deliveries are locked before their event, as by erasure and retry. One that is retried at this moment is
# not locked here, or not found by the retry; an event with a delivery that is not locked stays whole. So all that a
# whole one has is locked. Who refers to what is checked at the commit, so the order of the deletions does not matter.
PURGE = """
WITH passed AS MATERIALIZED (
    SELECT id, created_at FROM notifications_event
    WHERE created_at < %(until)s AND created_at >= %(at)s AND (created_at, id) > (%(at)s, %(id)s)
        AND NOT starts_with(type, %(alerts)s)
    ORDER BY created_at, id LIMIT %(batch)s
),
old AS MATERIALIZED (
    SELECT id FROM passed
    WHERE NOT EXISTS (
        SELECT 1 FROM notifications_delivery delivery WHERE delivery.event_id = passed.id AND status = 'pending')
),
finished AS MATERIALIZED (
    SELECT delivery.id FROM notifications_delivery delivery JOIN old ON old.id = delivery.event_id
    WHERE delivery.status <> 'pending' FOR UPDATE OF delivery SKIP LOCKED
),
whole AS MATERIALIZED (
    SELECT event.id FROM notifications_event event JOIN old ON old.id = event.id
    WHERE NOT EXISTS (
        SELECT 1 FROM notifications_delivery delivery
        WHERE delivery.event_id = event.id AND delivery.id NOT IN (SELECT id FROM finished))
    FOR UPDATE OF event SKIP LOCKED
),
deliveries AS (
    DELETE FROM notifications_delivery delivery USING whole WHERE delivery.event_id = whole.id
    RETURNING delivery.id, channel_id, finished_at, status, next_trigger
),
attempts AS (
    DELETE FROM notifications_deliveryattempt attempt USING deliveries WHERE attempt.delivery_id = deliveries.id
    RETURNING 1
),
events AS (DELETE FROM notifications_event event USING whole WHERE event.id = whole.id RETURNING 1)
SELECT created_at, id, (SELECT count(*) FROM passed), (SELECT count(*) FROM events),
    (SELECT count(*) FROM deliveries), (SELECT count(*) FROM attempts),
    (SELECT jsonb_agg(jsonb_build_array(channel_id, finished_at, status)) FROM deliveries
     WHERE next_trigger <> 'test' AND finished_at >= date_trunc('hour', %(until)s::timestamptz, 'UTC'))
FROM passed ORDER BY created_at DESC, id DESC LIMIT 1
"""


class _AnotherPurge(Exception):
    """Another purge is at this table, or all of it is locked."""


def purge(*, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete what is older than `RETENTION_DAYS`. Returns how many events went.

    Where another one is purging, this one ends at once; it also ends where a table is locked, and after the
    present batch once `stop()` is true. What it leaves the next one takes. Raises `django.db.Error` when PostgreSQL is
    away; what went until then stays gone.
    """
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp() - make_interval(days => %s)", [settings.RETENTION_DAYS])
        until: datetime = cursor.fetchone()[0]
    gone = {"events": 0, "deliveries": 0, "attempts": 0, "events_passed": 0}
    try:
        _forget_events(until, gone, stop)
        gone["hours"] = forget(ChannelHour.objects.filter(hour__lt=until), at="hour", stop=stop)
        alerts = Event.every.filter(type__startswith=ALERT_PREFIX, created_at__lt=until)
        lasting = Alert.objects.filter(open=True)
        gone["alerts"] = forget(alerts.exclude(pk__in=lasting.values("pk")), at="created_at", stop=stop)
        replays = ReplayJob.objects.filter(status=ReplayJob.Status.FINISHED, finished_at__lt=until)
        gone["replays"] = forget(replays, at="finished_at", stop=stop)
    finally:
        log.info("purged", **gone, duration_ms=round((time.monotonic() - began) * 1000))
    return gone["events"]


def forget(rows: models.QuerySet[Any], *, at: str, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete these rows, the oldest by the column `at` first, in batches. Returns how many went.

    What refers to them goes along where that cascades. It ends early as `purge` does; locked rows stay.
    """
    gone, after = 0, Q()
    while not stop():
        try:
            with _batch(rows.model._meta.db_table):
                found = rows.filter(after).order_by(at, "pk").select_for_update(skip_locked=True)
                keys = list(found.values_list(at, "pk")[:BATCH])
                _, deleted = rows.model._base_manager.filter(pk__in=[pk for _, pk in keys]).delete()
                gone += deleted.get(rows.model._meta.label, 0)
        except _AnotherPurge:
            break
        if len(keys) < BATCH:
            break
        last, pk = keys[-1]
        after = Q((f"{at}__gte", last)) & (Q((f"{at}__gt", last)) | Q(pk__gt=pk))
    return gone


def _forget_events(until: datetime, gone: dict[str, int], stop: Callable[[], bool]) -> None:
    values: dict[str, Any] = {
        "until": until,
        "at": until - timedelta(days=36500),
        "id": "",
        "batch": BATCH,
        "alerts": ALERT_PREFIX,
    }
    while not stop():
        try:
            with _batch("notifications_event"), connection.cursor() as cursor:
                cursor.execute(PURGE, values)
                row = cursor.fetchone()
                if row is not None and row[-1]:  # of an hour that is still kept
                    finished = json.loads(row[-1])
                    take_back((channel, datetime.fromisoformat(at), status) for channel, at, status in finished)
        except _AnotherPurge:
            return
        if row is None:
            return
        values["at"], values["id"], passed, events, deliveries, attempts, _ = row
        for name, count in zip(gone, (events, deliveries, attempts, passed), strict=True):
            gone[name] += count
        if passed < BATCH:
            return


@contextmanager
def _batch(table: str) -> Iterator[None]:
    """A transaction that waits for no other one, and purges `table` alone. Raises `_AnotherPurge`."""
    try:
        with transaction.atomic():
            if not try_lock(f"purge {table}", lock_timeout=LOCK_TIMEOUT):
                raise _AnotherPurge
            yield
    except OperationalError as error:
        if waited_too_long(error):
            raise _AnotherPurge from error
        raise
