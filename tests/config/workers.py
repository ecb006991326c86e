"""Waiting for real workers."""

from config.celery import app
from notifications.models import Heartbeat
from tests.waiting import wait_until


def wait_until_it_takes_tasks() -> None:
    """Until the one worker that runs takes tasks: before that it may deliver, but SIGTERM ends it at once."""
    app.send_task("notifications.tasks.record_beat")
    wait_until(lambda: Heartbeat.objects.filter(name="beat").exists(), timeout=60)
