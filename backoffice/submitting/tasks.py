"""Celery tasks of submitted forms."""

from celery import shared_task
from django.db.models.functions import Now

from backoffice.submitting.models import Submission
from backoffice.submitting.once import KEPT_FOR, SHOWN_AGAIN_FOR
from notifications.retention import forget
from notifications.tasks import shutting_down


@shared_task(name="config.submitting.tasks.purge_submissions", one_at_a_time=True)
def purge_submissions() -> int:
    """Forget pages that are not shown again, and, in batches, the forms of more than a week ago. Returns how many.

    A worker that is asked to stop does so after the present batch.
    """
    Submission.objects.filter(is_page=True, created_at__lte=Now() - SHOWN_AGAIN_FOR).exclude(
        encrypted_answer=""
    ).update(encrypted_answer="")
    old = Submission.objects.filter(created_at__lte=Now() - KEPT_FOR)
    return forget(old, at="created_at", stop=shutting_down.is_set)
