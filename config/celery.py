"""The Celery application: it carries hints and the clock of beat, never a delivery."""

import os

from celery import Celery
from celery.signals import beat_init, setup_logging
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tidings")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
def _make_folder(**_: object) -> None:
    """Beat keeps its schedule file there."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)


@setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """Django's LOGGING holds in workers and beat too; Celery would set levels of its own."""
