"""Celery tasks of notifications. Each may run twice at once, in any process."""

import threading
import time

import structlog
from celery import shared_task
from celery.signals import worker_shutting_down
from django.db import Error

from notifications import doorbell, recounting, retention
from notifications.alerts.adopting import adopt
from notifications.alerts.watching import watch
from notifications.delivery.alone import send_late_alerts
from notifications.delivery.clock import engine
from notifications.delivery.maintenance import beat
from notifications.metrics import instruments
from notifications.models import Heartbeat

log = structlog.get_logger(__name__)
shutting_down = threading.Event()


@worker_shutting_down.connect
def _begin_nothing_more(**_: object) -> None:
    shutting_down.set()


@shared_task(name=doorbell.TASK)
def deliver_due() -> int:
    """Answer the doorbell. The flag goes first: what is committed after the claim rings again."""
    doorbell.answered()
    return engine().deliver_due()


@shared_task(name="notifications.tasks.record_beat", one_at_a_time=True)
def record_beat() -> None:
    """Note that beat, broker and worker have worked together."""
    beat(Heartbeat.Name.BEAT, at_most_every=0)


@shared_task(name="notifications.tasks.purge", one_at_a_time=True)
def purge() -> int:
    """Forget what is older than `RETENTION_DAYS`. A worker that is asked to stop does so after the present batch."""
    began = time.monotonic()
    gone = retention.purge(stop=shutting_down.is_set)
    if not shutting_down.is_set():
        beat(Heartbeat.Name.PURGE, at_most_every=0)
        instruments.purged(seconds=time.monotonic() - began)
    return gone


@shared_task(name="notifications.tasks.recount", one_at_a_time=True)
def recount() -> int:
    """Count anew what was finished lately. PostgreSQL that is away is left to the next call."""
    try:
        return recounting.recount(stop=shutting_down.is_set)
    except Error:
        log.exception("not_recounted")
        return 0


@shared_task(name="notifications.tasks.send_alerts", one_at_a_time=True)
def send_alerts() -> None:
    """Look for what is to be told of what goes wrong; the engine sends it, or this task where the engines are stuck.

    A fault in it, or PostgreSQL that is away, is left to the next call. A worker that is asked to stop does not begin.
    """
    if shutting_down.is_set():
        return
    for step in (adopt, watch, send_late_alerts):
        try:
            step()
        except Exception:
            log.exception("alerts_not_written", step=step.__name__)
