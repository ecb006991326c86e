"""The demo's mail server: it keeps what would be sent, so that a person can read it at `/demo/outbox/`.

In use where DEMO is on and no `EMAIL_URL` names a server.
"""

from collections.abc import Sequence

from csp.constants import HEADER, NONE, SELF, UNSAFE_INLINE
from csp.utils import build_policy
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import Error, connection, transaction
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from backoffice.content_security import PLAIN
from demo.mails import for_frame, opens_an_account, read_mail
from demo.models import KeptMail, forget_oldest, storable
from demo.pages import list_context, staff_only

BACKEND = f"{__name__}.OutboxBackend"
KEPT = 1000
WITH_FRAME = build_policy({**PLAIN, "frame-src": [SELF]})
# A mail may style itself and do nothing else, also where its address is opened without the frame.
OF_A_MAIL = build_policy(
    {
        "default-src": [NONE],
        "style-src": [UNSAFE_INLINE],
        "base-uri": [NONE],
        "form-action": [NONE],
        "frame-ancestors": [SELF],
        "sandbox": [True],
    }
)


class OutboxBackend(BaseEmailBackend):
    """Keeps every mail in the database in place of sending it, the newest 1000.

    Threads that send hold no connection to the database, and there are more of them than connections: the one taken
    here is given back at once, unless the caller is inside a transaction.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Returns how many were kept: those that have recipients. Raises `django.db.Error` unless `fail_silently`."""
        kept = 0
        try:
            for message in email_messages:
                if message.recipients():
                    keep(message)
                    kept += 1
        except Error:
            if not self.fail_silently:
                raise
        finally:
            if not connection.in_atomic_block:
                connection.close()
        return kept


def is_in_use() -> bool:
    """Whether mail is kept here, and not sent."""
    return settings.EMAIL_BACKEND == BACKEND


def keep(message: EmailMessage) -> None:
    """Keep a mail, or count it where its Message-ID is known, as a mailbox collapses duplicates.

    What is kept of duplicates is the first, with the recipients of all.
    """
    sent = message.message()
    raw = sent.as_bytes(linesep="\r\n")  # type: ignore[call-arg] # Django's own messages take it
    recipients = [storable(recipient) for recipient in message.recipients()]
    with transaction.atomic():
        mail, is_new = KeptMail.objects.select_for_update().get_or_create(
            message_id=storable(str(sent["Message-ID"]), 998),
            defaults={
                "subject": storable(str(message.subject)),
                "sender": storable(str(message.extra_headers.get("From", message.from_email))),
                "recipients": recipients,
                "raw": raw,
                "for_superusers": opens_an_account(raw),
            },
        )
        if not is_new:
            mail.recipients = list(dict.fromkeys([*mail.recipients, *recipients]))
            mail.times_received = F("times_received") + 1
            mail.save(update_fields=["recipients", "times_received"])
    if is_new:
        forget_oldest(KeptMail, kept=KEPT)


@staff_only
@never_cache
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """The mails, newest first. Those that set a new password are for superusers: else staff would read everybody's."""
    context = list_context(request, KeptMail.objects.shown_to(request.user).defer("raw"), kept=KEPT)
    return render(request, "demo/outbox.html", {**context, "in_use": is_in_use()})


@staff_only
@never_cache
@require_safe
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    """One mail: its headers, its parts and its source."""
    kept = get_object_or_404(KeptMail.objects.shown_to(request.user), pk=pk)
    readable = read_mail(bytes(kept.raw), recipients=kept.recipients)
    response = render(request, "demo/mail.html", {"mail": kept, "readable": readable})
    response[HEADER] = WITH_FRAME
    return response


@staff_only
@never_cache
@require_safe
@xframe_options_sameorigin
def html(request: HttpRequest, pk: int) -> HttpResponse:
    """The HTML part by itself, for the frame in the page of its mail; 404 where there is none."""
    kept = get_object_or_404(KeptMail.objects.shown_to(request.user), pk=pk)
    content = read_mail(bytes(kept.raw)).html
    if not content:
        raise Http404("This mail has no HTML part.")
    return HttpResponse(for_frame(content), headers={HEADER: OF_A_MAIL})
