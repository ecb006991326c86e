"""Wiring. The Celery app is imported with Django, so that tasks find it."""

from config.celery import app as celery_app
from config.unobserved_redis import import_redis

import_redis()

__all__ = ["celery_app"]
