"""Calls the engine in each worker process every `SWEEP_INTERVAL_SECONDS`: it needs neither broker nor beat.

Started with the Celery worker, before that looks for its broker: one that is away delays no delivery. Stopped when the
worker shuts down (SIGTERM): the engine then claims nothing more, finishes and records what is in flight, and the
process ends.
"""

import threading
from functools import cache

import structlog
from celery.signals import worker_init, worker_shutdown, worker_shutting_down
from django.conf import settings

from notifications import notices
from notifications.delivery.claim import lease_seconds
from notifications.delivery.engine import Engine
from notifications.metrics.reporting import reporter

log = structlog.get_logger(__name__)


@cache
def engine() -> Engine:
    """The engine of this process, made when it is first needed."""
    return Engine()


class Clock(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="delivery-clock", daemon=True)
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                engine().deliver_due()
            except Exception:
                log.exception("sweep_failed")
            self._stopping.wait(settings.SWEEP_INTERVAL_SECONDS)

    def stop(self) -> None:
        self._stopping.set()
        engine().stop()


@cache
def clock() -> Clock:
    return Clock()


@worker_init.connect
def _start(**_: object) -> None:
    try:
        notices.warm_up()
    except Exception:
        log.exception("not_warmed_up")
    reporter.start("worker")
    clock().start()


@worker_shutting_down.connect
def _stop(**_: object) -> None:
    clock().stop()


@worker_shutdown.connect
def _finish(**_: object) -> None:
    if not engine().join(timeout=lease_seconds()):
        log.error("in_flight_abandoned")
    reporter.stop()
