"""The demo's mail server: it keeps what would be sent, so that a person can read it at `/demo/outbox/`.

In use where DEMO is on and no `EMAIL_URL` names a server.
"""

from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import Error, connection, transaction
from django.db.models import F

from demo.keeping import forget_oldest, storable
from demo.mails import opens_an_account
from demo.models import KeptMail

BACKEND = f"{__name__}.OutboxBackend"
KEPT = 1000


class OutboxBackend(BaseEmailBackend):
    """Keeps every mail in the database in place of sending it, the newest 1000.

    Threads that send hold no connection to the database, and there are more of them than connections: the one taken
    here is given back at once, unless the caller is inside a transaction.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Returns how many were kept: those that are to anybody. Raises `django.db.Error` unless `fail_silently`."""
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
