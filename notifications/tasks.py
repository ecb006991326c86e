from celery import shared_task

from notifications import alerts, doorbell, retention
from notifications.delivery.claim import beat
from notifications.delivery.clock import engine
from notifications.models import Heartbeat


@shared_task(name=doorbell.TASK)
def deliver_due() -> int:
    """Answer the doorbell. The flag goes first: what is committed after the claim rings again."""
    doorbell.answered()
    return engine().deliver_due()


@shared_task(name="notifications.tasks.record_beat")
def record_beat() -> None:
    """Note that beat, broker and worker have worked together."""
    beat(Heartbeat.Name.BEAT, at_most_every=0)


@shared_task(name="notifications.tasks.purge")
def purge() -> int:
    """Forget what is older than `RETENTION_DAYS`."""
    return retention.purge()


@shared_task(name="notifications.tasks.send_alerts")
def send_alerts() -> int:
    """Send the e-mails to administrators that are due."""
    return alerts.send_due()
