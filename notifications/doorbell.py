"""Wakes a worker after a commit. A hint and nothing more: what it does not wake, the workers' own clock finds.

At most one hint is outstanding: a flag in Redis says that one is under way. It is removed by the worker *before* it
claims, so that a delivery committed after the claim's snapshot always finds the flag gone and rings again.
"""

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction

from notifications.redis_client import redis_client

log = structlog.get_logger(__name__)

FLAG = f"{settings.REDIS_KEY_PREFIX}doorbell"
FLAG_SECONDS = 5
TASK = "notifications.tasks.deliver_due"
TIMEOUT_SECONDS = 0.3


def ring_on_commit() -> None:
    """Ring once after the present transaction, however many deliveries it made."""
    connection = transaction.get_connection()
    if not any(callback is ring for _, callback, _ in connection.run_on_commit):
        transaction.on_commit(ring, robust=True)


def ring() -> None:
    """Two round trips at most, a second in all; a broker that is gone, silent or full costs the caller no error."""
    try:
        if not redis_client(TIMEOUT_SECONDS).set(FLAG, 1, nx=True, ex=FLAG_SECONDS):
            return
    except Exception as error:
        log.warning("doorbell_unreachable", error=str(error))
        return
    try:
        current_app.send_task(TASK)
    except Exception as error:
        log.warning("doorbell_not_published", error=str(error))
        answered()


def answered() -> None:
    """Remove the flag: the next commit rings again. Called by the worker before it claims."""
    try:
        redis_client(TIMEOUT_SECONDS).delete(FLAG)
    except Exception as error:
        log.warning("doorbell_unreachable", error=str(error))
