"""Requests for links to set a new password: written down by a page, answered by mail by a worker.

So the page takes the same time and says the same whether or not there is such a user, a mail server that is slow or
down holds up no request, and a broker that is down loses nothing: a request waits in the database. The broker carries
only that there is work, no address and no link.
"""

from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from backoffice.accounts.models import ResetRequest
from orders.email_keys import ascii_form
from orders.locks import take_lock

log = structlog.get_logger(__name__)

# Within an hour. Many people may share the address of a proxy, few share a mailbox.
MOST_FOR_AN_ADDRESS = 3
MOST_FROM_A_CLIENT = 30
COUNTED_FOR = timedelta(hours=1)
# The lease of a request; after it another worker may take it.
TAKEN_FOR = timedelta(minutes=1)
MOST_TRIES = 3
# After so long a link is no longer sent.
KEPT_WAITING_FOR = timedelta(hours=1)
KEPT_FOR = timedelta(days=1)


def request_link(email: str, client: str | None) -> None:
    """Write down that a link is wanted for `email`, unless the address or the client has asked too often."""
    key = salted_hmac(__name__, ascii_form(email), algorithm="sha256").hexdigest()
    recent = ResetRequest.objects.filter(requested_at__gt=Now() - COUNTED_FOR)
    with transaction.atomic():
        take_lock("password reset")  # of two at once each would be the third
        of_address = recent.filter(address_key=key)[:MOST_FOR_AN_ADDRESS].count()
        of_client = recent.filter(client=client)[:MOST_FROM_A_CLIENT].count() if client else 0
        if of_address >= MOST_FOR_AN_ADDRESS or of_client >= MOST_FROM_A_CLIENT:
            log.warning("password_reset_too_often", client=client)
            return
        ResetRequest.objects.create(email=email, address_key=key, client=client)


def claim() -> ResetRequest | None:
    """Lease the oldest due request to the caller for `TAKEN_FOR`; None where none is due."""
    with transaction.atomic():
        waiting = ResetRequest.objects.exclude(email="").filter(due_at__lte=Now())
        request = waiting.order_by("due_at").select_for_update(skip_locked=True).first()
        if request is not None:
            request.tries += 1
            ResetRequest.objects.filter(pk=request.pk).update(tries=request.tries, due_at=Now() + TAKEN_FOR)
        return request


def close(request: ResetRequest) -> None:
    """Nothing more is to be done for it: from now on it only counts."""
    ResetRequest.objects.filter(pk=request.pk).update(email="")


def expire() -> None:
    """Give up requests that are too old to be answered, and delete those that no longer count."""
    late = ResetRequest.objects.exclude(email="").filter(requested_at__lte=Now() - KEPT_WAITING_FOR)
    if given_up := late.update(email=""):
        log.error("password_resets_given_up", count=given_up)
    ResetRequest.objects.filter(requested_at__lte=Now() - KEPT_FOR).delete()
