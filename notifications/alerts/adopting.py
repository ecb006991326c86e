"""Takes over what processes of the release before write of alerts: they keep copies in a table of their own."""

from django.db import connection, transaction

from notifications.alert_targets import ADMINISTRATORS_CHANNEL, targets_for
from notifications.events.alerts import ALERT_PREFIX, AlertKind
from notifications.models import AlertDelivery
from notifications.models.deliveries import new_delivery_id

EVENTS = """
INSERT INTO notifications_event (id, type, source, facts, routing, created_at)
SELECT alert.id, %s || alert.kind, 'admin', '{}', '[]', alert.created_at FROM notifications_alert alert
WHERE EXISTS (SELECT FROM notifications_alertcopy WHERE alert_id = alert.id)
ON CONFLICT (id) DO NOTHING
"""
# One that such a process is sending stays with it.
COPIES = """
DELETE FROM notifications_alertcopy copy USING notifications_alert alert
WHERE copy.alert_id = alert.id AND (copy.claimed_at IS NULL OR copy.next_try_at <= statement_timestamp())
RETURNING copy.alert_id, alert.kind, coalesce(copy.channel_id, %s), copy.next_try_at, copy.tries, copy.reached,
    copy.sent_at, copy.given_up_at, copy.withdrawn_at, copy.error, alert.created_at
"""


# What workers of the release before have claimed as any other delivery: they find no body in it, and give it up.
REVIVE = """
UPDATE notifications_delivery SET status = 'pending', finished_at = NULL, next_attempt_at = statement_timestamp()
WHERE is_alert AND status = 'failed' AND outcome = 'internal_error'
"""


@transaction.atomic
def adopt() -> int:
    """Make deliveries of the copies. Returns how many. Costs two quick queries where there are none."""
    with connection.cursor() as cursor:
        cursor.execute(REVIVE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM notifications_alertcopy)")
        if cursor.fetchone() == (False,):
            return 0
        targets_for(None)  # makes the channel of the administrators
        cursor.execute(EVENTS, [ALERT_PREFIX])
        cursor.execute(COPIES, [ADMINISTRATORS_CHANNEL])
        rows = cursor.fetchall()
        known = set(AlertDelivery.objects.filter(event__in={row[0] for row in rows}).values_list("event", "channel"))
    AlertDelivery.objects.bulk_create(
        AlertDelivery(
            id=new_delivery_id(),
            event_id=alert_id,
            event_type=AlertKind(kind).key,
            channel_id=channel_id,
            is_alert=True,
            status="pending" if due else "succeeded" if sent_at else "failed",
            next_attempt_at=due,
            attempts_made=tries,
            reached=reached,
            outcome="succeeded" if sent_at else "http_error" if given_up_at else "",
            error=error,
            created_at=created_at,
            finished_at=sent_at or given_up_at or withdrawn_at,
        )
        for (
            alert_id, kind, channel_id, due, tries, reached, sent_at, given_up_at, withdrawn_at, error, created_at
        ) in rows
        if (alert_id, channel_id) not in known
    )  # fmt: skip
    return len(rows)
