from celery import shared_task

from config.api import idempotency


@shared_task(name="config.api.tasks.purge_idempotency_records")
def purge_idempotency_records() -> int:
    """Forget the kept answers that are older than a day."""
    return idempotency.purge_idempotency_records()
