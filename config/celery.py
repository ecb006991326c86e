"""The Celery application: it carries hints and the clock of beat, never a delivery."""

import os
import threading
from typing import Any

import celery
from celery import Celery
from celery.signals import beat_init, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Task(celery.Task):
    """Tasks of every tick set `one_at_a_time`: in each process one runs, a further one ends at once.

    So a long one, or one that waits for a lock, never holds more than one of the worker's threads, however many of
    beat's messages have piled up behind it: the doorbell still gets one.
    """

    one_at_a_time = False

    def __init__(self) -> None:
        self._running = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.one_at_a_time:
            return super().__call__(*args, **kwargs)
        if not self._running.acquire(blocking=False):
            return None
        try:
            return super().__call__(*args, **kwargs)
        finally:
            self._running.release()


app = Celery("tidings", task_cls=Task)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
def _report_metrics(**_: object) -> None:
    """Of workers `notifications.delivery.clock` sees to it."""
    from notifications.metrics.reporting import reporter

    reporter.start("beat")


@setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """Django's LOGGING holds in workers and beat too; Celery would set levels of its own."""
