"""Forgets events and their deliveries after `RETENTION_DAYS`, in small batches; never one that is still to be sent.

The counts that statistics are made of and the alerts go as well.
"""

from django.conf import settings
from django.db import connection, transaction

BATCH = 500

# The deliveries are locked, so that one which is retried at this moment is either kept or not found by the retry.
PURGE = """
WITH old AS MATERIALIZED (
    SELECT event.id FROM notifications_event event
    WHERE event.created_at < statement_timestamp() - make_interval(days => %(days)s)
        AND NOT EXISTS (
            SELECT 1 FROM notifications_delivery delivery
            WHERE delivery.event_id = event.id AND delivery.status = 'pending')
    ORDER BY event.created_at LIMIT %(batch)s
),
finished AS MATERIALIZED (
    SELECT delivery.id FROM notifications_delivery delivery JOIN old ON old.id = delivery.event_id
    WHERE delivery.status <> 'pending' FOR UPDATE OF delivery SKIP LOCKED
),
attempts AS (DELETE FROM notifications_deliveryattempt USING finished WHERE delivery_id = finished.id),
deliveries AS (
    DELETE FROM notifications_delivery delivery USING finished WHERE delivery.id = finished.id RETURNING delivery.id
)
SELECT count(*) FROM deliveries
"""
# What has no delivery left; a statement of its own, since one statement does not see its own deletions.
PURGE_EVENTS = """
DELETE FROM notifications_event WHERE id IN (
    SELECT event.id FROM notifications_event event
    WHERE event.created_at < statement_timestamp() - make_interval(days => %(days)s)
        AND NOT EXISTS (SELECT 1 FROM notifications_delivery delivery WHERE delivery.event_id = event.id)
    ORDER BY event.created_at LIMIT %(batch)s
)
"""
# Few rows: one for each channel and hour.
PURGE_HOURS = """
DELETE FROM notifications_channelhour WHERE hour < statement_timestamp() - make_interval(days => %(days)s)
"""
PURGE_ALERTS = """
DELETE FROM notifications_alert WHERE created_at < statement_timestamp() - make_interval(days => %(days)s)
"""


def purge() -> int:
    """Delete what is older than `RETENTION_DAYS`. Returns how many events went. Safe under two callers."""
    values = {"days": settings.RETENTION_DAYS, "batch": BATCH}
    with connection.cursor() as cursor:
        cursor.execute(PURGE_HOURS, values)
        cursor.execute(PURGE_ALERTS, values)
    purged = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PURGE, values)
            cursor.execute(PURGE_EVENTS, values)
            batch: int = cursor.rowcount
        purged += batch
        if not batch:
            return purged
