"""Sends alerts without the engine, should that be what is wrong."""

from datetime import timedelta

from django.db.models.functions import Now

from notifications.delivery.claim import Alerts, begin_alerts, claim
from notifications.delivery.record import record
from notifications.delivery.send import send
from notifications.models import AlertDelivery

# An engine takes an alert within a second or so of its time.
LATE_AFTER = timedelta(minutes=1)
# Then the next look goes on.
AT_MOST = 100


def send_late_alerts() -> int:
    """Send those that are due and that no engine takes, one at a time. Returns how many attempts were recorded."""
    late = AlertDelivery.objects.filter(status="pending", lease_token=None, next_attempt_at__lt=Now() - LATE_AFTER)
    recorded = 0
    for _ in range(AT_MOST):
        if not late.exists():
            break
        alerts = Alerts()
        claim(slots=0, slowed_slots=0, alert_slots=1, alone=False, alerts=alerts)
        for each in begin_alerts(alerts):
            recorded += record([send(each)])
        if not alerts.leased:
            break
    return recorded
