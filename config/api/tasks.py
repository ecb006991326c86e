from celery import shared_task
from django.utils import timezone

from config.api.idempotency import KEPT_FOR
from config.api.models import IdempotencyRecord
from notifications.retention import forget


@shared_task(name="config.api.tasks.purge_idempotency_records")
def purge_idempotency_records() -> int:
    """Forget the kept answers that are older than a day, in batches. Returns how many."""
    return forget(IdempotencyRecord.objects.filter(created_at__lte=timezone.now() - KEPT_FOR), at="created_at")
