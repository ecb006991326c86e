"""The Celery task that answers requests for new passwords, and how a page wakes it."""

import structlog
from celery import shared_task
from django.db import Error

from backoffice.accounts import reset_requests
from backoffice.accounts.reset_mail import ResetMail
from notifications.tasks import shutting_down

log = structlog.get_logger(__name__)


@shared_task(name="config.accounts.tasks.send_password_links", one_at_a_time=True)
def send_password_links() -> int:
    """Answer the requests for links that wait. Returns how many were taken up.

    What cannot be sent is tried again a minute later, three times in all. PostgreSQL that is away is left to the next
    call. A worker that is asked to stop does so after the present one.
    """
    taken = 0
    try:
        while not shutting_down.is_set() and (request := reset_requests.claim()) is not None:
            taken += 1
            if ResetMail({"email": request.email}).send() or request.tries >= reset_requests.MOST_TRIES:
                reset_requests.close(request)
        reset_requests.expire()
    except Error:
        log.exception("password_links_not_sent")
    return taken


def announce() -> None:
    """Tell a worker that there is something to send. Without a broker it waits for the next call of beat."""
    try:
        send_password_links.delay()
    except Exception as error:
        log.warning("password_links_not_announced", error=str(error))
