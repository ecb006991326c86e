"""What is done once a sweep beside delivering: gives back what dead workers held, fails what deleted channels left.

All times are the database's.
"""

from collections import Counter
from typing import Any

from django.db import connection, transaction

from notifications import alert_raising
from notifications.metrics import instruments
from notifications.metrics.instruments import Attempted
from notifications.models import new_attempt_id
from notifications.tally import Counted, count

UNKNOWNS_BEFORE_FAILING = 3
# Alerts never fail of them, so they are not counted on.
MOST_UNKNOWNS = 100
# Leases that ran out, so many in one transaction.
RECOVER_BATCH = 1000

EXPIRED = """
SELECT id FROM notifications_delivery
WHERE lease_token IS NOT NULL AND lease_expires_at < statement_timestamp()
ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
# The attempt of a lease that ran out ends as unknown, and the row is due at once with the same event id. A test is sent
# once; the third unknown in a row fails, but of an alert. Where no attempt was begun, the worker died before it could
# send anything.
RECOVER = """
WITH expired AS MATERIALIZED (
    SELECT delivery.id, delivery.attempts_made, delivery.next_trigger, fresh.attempt_id,
        delivery.next_trigger = 'test'
            OR delivery.unknowns_in_row + 1 >= %(unknowns)s AND NOT delivery.is_alert AS last
    FROM unnest(%(ids)s::text[], %(attempts)s::text[]) AS fresh(id, attempt_id)
    JOIN notifications_delivery delivery ON delivery.id = fresh.id
),
closed AS (
    UPDATE notifications_deliveryattempt attempt
    SET outcome = 'unknown', error = coalesce(nullif(attempt.error, ''), %(died)s)
    FROM expired WHERE attempt.delivery_id = expired.id AND attempt.outcome = 'started'
    RETURNING attempt.delivery_id, attempt.error
),
unsent AS (
    INSERT INTO notifications_deliveryattempt
        (id, delivery_id, number, trigger, outcome, url, request_headers, response_headers, response_body,
         started_at, error, connection)
    SELECT expired.attempt_id, expired.id, expired.attempts_made, expired.next_trigger, 'unknown', '', '{}', '{}', '',
        statement_timestamp(), %(not_sent)s, '{}'
    FROM expired WHERE expired.id NOT IN (SELECT delivery_id FROM closed)
    RETURNING delivery_id, error
),
told AS (
    SELECT expired.*, ended.error FROM expired
    JOIN (TABLE closed UNION ALL TABLE unsent) ended ON ended.delivery_id = expired.id
)
UPDATE notifications_delivery delivery
SET lease_token = NULL, lease_expires_at = NULL, outcome = 'unknown', status_code = NULL,
    unknowns_in_row = least(unknowns_in_row + 1, %(most_unknowns)s),
    error = told.error,
    next_trigger = CASE WHEN told.last THEN delivery.next_trigger ELSE 'recovered' END,
    status = CASE WHEN told.last THEN 'failed' ELSE 'pending' END,
    next_attempt_at = CASE WHEN NOT told.last THEN statement_timestamp() END,
    finished_at = CASE WHEN told.last THEN statement_timestamp() END
FROM told WHERE delivery.id = told.id
RETURNING delivery.channel_id, delivery.status, delivery.next_trigger = 'test' OR delivery.is_alert,
    (SELECT kind FROM channels_app_channel channel WHERE channel.id = delivery.channel_id),
    CASE WHEN delivery.is_alert THEN 'alert' ELSE told.next_trigger END
"""
WORKER_DIED = "The worker stopped before it could record the answer; the message may have arrived."
NOT_SENT = "The worker stopped before it began to send; nothing was sent."

# What a deleted channel left pending, or a transaction that overlapped the deletion recorded for it; alerts apart,
# which are judged at their turn.
# Chosen once: as a part of the update itself PostgreSQL may choose anew for each row, and takes more than a batch then.
ABANDON = """
WITH chosen AS MATERIALIZED (
    SELECT left_over.id FROM channels_app_channel channel
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = channel.id AND status = 'pending' AND lease_token IS NULL AND NOT is_alert
        LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ) left_over
    WHERE channel.archived_at IS NOT NULL
    LIMIT %(batch)s
)
UPDATE notifications_delivery delivery
SET status = 'failed', next_attempt_at = NULL, finished_at = statement_timestamp(), error = %(error)s
FROM chosen WHERE delivery.id = chosen.id
RETURNING delivery.channel_id, delivery.next_trigger = 'test'
"""
# How many rows are abandoned in one statement, some tens of milliseconds.
ABANDON_BATCH = 1000
CHANNEL_DELETED = "The channel was deleted."

BEAT = """
INSERT INTO notifications_heartbeat (name, at) VALUES (%(name)s, statement_timestamp())
ON CONFLICT (name) DO UPDATE SET at = excluded.at
WHERE notifications_heartbeat.at < excluded.at - make_interval(secs => %(every)s)
"""


def recover() -> int:
    """Free the deliveries whose worker died. Returns how many those were.

    That some have failed for good, because no worker outlived them, is told to the administrators.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EXPIRED, [RECOVER_BATCH])
        ids = [delivery_id for (delivery_id,) in cursor.fetchall()]
        if not ids:
            return 0
        values: dict[str, Any] = {
            "ids": ids,
            "attempts": [new_attempt_id() for _ in ids],
            "died": WORKER_DIED,
            "not_sent": NOT_SENT,
            "unknowns": UNKNOWNS_BEFORE_FAILING,
            "most_unknowns": MOST_UNKNOWNS,
        }
        cursor.execute(RECOVER, values)
        recovered = cursor.fetchall()
        lost = Counter(channel for channel, status, aside, *_ in recovered if status == "failed" and not aside)
        for channel_id, number in sorted(lost.items()):
            alert_raising.deliveries_lost(channel_id=channel_id, number=number)
        count(Counted(channel_id, "failed") for channel_id in lost.elements())
    instruments.attempts_recorded(
        Attempted(kind=kind, outcome="unknown", trigger=trigger, status=status)
        for _, status, _, kind, trigger in recovered
    )
    return len(ids)


def abandon() -> int:
    """Fail a batch of what is pending on deleted channels. Returns how many: `ABANDON_BATCH` where more may be left."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ABANDON, {"error": CHANNEL_DELETED, "batch": ABANDON_BATCH})
        abandoned = cursor.fetchall()
        count(Counted(channel, "failed") for channel, is_test in abandoned if not is_test)
    return len(abandoned)


def beat(name: str, *, at_most_every: float) -> None:
    """Note that a worker or beat is alive, unless that was noted within `at_most_every` seconds."""
    with connection.cursor() as cursor:
        cursor.execute(BEAT, {"name": name, "every": at_most_every})
