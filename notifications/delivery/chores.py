"""What is done once a sweep beside delivering: gives back what dead workers held, fails what deleted channels left.

All times are the database's.
"""

from django.db import connection, transaction

from notifications.delivery.count import Counted, count

UNKNOWNS_BEFORE_FAILING = 3

# A lease that ran out: its attempt ends as unknown, and the row is due at once with the same event id. A test is sent
# once; the third unknown in a row fails.
RECOVER = """
WITH expired AS MATERIALIZED (
    SELECT id, unknowns_in_row + 1 >= %(unknowns)s OR next_trigger = 'test' AS last FROM notifications_delivery
    WHERE lease_token IS NOT NULL AND lease_expires_at < statement_timestamp()
    ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
),
closed AS (
    UPDATE notifications_deliveryattempt attempt
    SET outcome = 'unknown', error = %(error)s
    FROM expired WHERE attempt.delivery_id = expired.id AND attempt.outcome = 'started'
)
UPDATE notifications_delivery delivery
SET lease_token = NULL, lease_expires_at = NULL, outcome = 'unknown', status_code = NULL,
    unknowns_in_row = unknowns_in_row + 1,
    error = %(error)s,
    next_trigger = CASE WHEN expired.last THEN next_trigger ELSE 'recovered' END,
    status = CASE WHEN expired.last THEN 'failed' ELSE 'pending' END,
    next_attempt_at = CASE WHEN NOT expired.last THEN statement_timestamp() END,
    finished_at = CASE WHEN expired.last THEN statement_timestamp() END
FROM expired WHERE delivery.id = expired.id
RETURNING delivery.channel_id, delivery.status, delivery.next_trigger = 'test'
"""
WORKER_DIED = "The worker stopped before it could record the answer; the message may have arrived."

# What a deleted channel left pending, or a transaction that overlapped the deletion recorded for it.
ABANDON = """
UPDATE notifications_delivery delivery
SET status = 'failed', next_attempt_at = NULL, finished_at = statement_timestamp(), error = %(error)s
WHERE id IN (
    SELECT left_over.id FROM channels_app_channel channel
    CROSS JOIN LATERAL (
        SELECT id FROM notifications_delivery
        WHERE channel_id = channel.id AND status = 'pending' AND lease_token IS NULL
        LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ) left_over
    WHERE channel.archived_at IS NOT NULL
    LIMIT %(batch)s
)
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
    """Free the deliveries whose worker died. Returns how many those were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(RECOVER, {"error": WORKER_DIED, "unknowns": UNKNOWNS_BEFORE_FAILING})
        recovered = cursor.fetchall()
        count(Counted(channel, status) for channel, status, is_test in recovered if status == "failed" and not is_test)
    return len(recovered)


def abandon() -> int:
    """Fail a batch of what is pending on deleted channels. Returns how many: `ABANDON_BATCH` where more may be left."""
    with connection.cursor() as cursor:
        cursor.execute(ABANDON, {"error": CHANNEL_DELETED, "batch": ABANDON_BATCH})
        return int(cursor.rowcount)


def beat(name: str, *, at_most_every: float) -> None:
    """Note that a worker or beat is alive, unless that was noted within `at_most_every` seconds."""
    with connection.cursor() as cursor:
        cursor.execute(BEAT, {"name": name, "every": at_most_every})
