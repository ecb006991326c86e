"""Celery tasks of the API."""

from celery import shared_task
from django.db.models.functions import Now

from api.idempotency import KEPT_FOR
from api.models import IdempotencyRecord
from notifications.retention import forget
from notifications.tasks import shutting_down


@shared_task(name="config.api.tasks.purge_idempotency_records", one_at_a_time=True)
def purge_idempotency_records() -> int:
    """Forget the kept answers that are older than a day, in batches. Returns how many.

    A worker that is asked to stop does so after the present batch.
    """
    old = IdempotencyRecord.objects.filter(created_at__lte=Now() - KEPT_FOR)
    return forget(old, at="created_at", stop=shutting_down.is_set)
