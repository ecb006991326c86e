"""Django's e-mail backend for `send_mail`, password resets and the like, over the SMTP sessions of e-mail channels."""

import smtplib
from collections.abc import Sequence
from dataclasses import replace
from email.utils import parseaddr
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address

from channels_app.transports.base import Outcome
from channels_app.transports.email.mailserver import MailServer, our_domain
from channels_app.transports.email.message import automatic_headers
from channels_app.transports.email.sending import LOOKUPS, send_by
from channels_app.transports.email.smtp import Session
from channels_app.transports.net.deadline import Exchange
from channels_app.transports.net.dialing import Dialer

log = structlog.get_logger(__name__)


class MailNotSentError(smtplib.SMTPException):
    """No recipient has the mail, or may have it. The message is a sentence for people."""


class SMTPBackend(BaseEmailBackend):
    """Sends mails one by one by the server of `EMAIL_URL`, each over a connection of its own.

    What a mail does not say of itself is added (`automatic_headers`): errors reported to `ADMINS` come by here, too.
    As for e-mail channels: certificates are checked against `EXTRA_CA_BUNDLE`, too, and each mail has `timeout` seconds
    of wall clock (`settings.EMAIL_TIMEOUT` unless it is given) for everything from the look-up of the name on.
    """

    def __init__(
        self,
        *,
        username: str | None = None,
        password: str | None = None,
        timeout: float | None = None,
        fail_silently: bool = False,
        **options: Any,
    ) -> None:
        """`username` and `password` take the place of those in `EMAIL_URL`: `send_mail` has arguments for them."""
        super().__init__(fail_silently=fail_silently, **options)
        self._username, self._password, self._timeout = username, password, timeout

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Returns how many were sent, leaving out those without recipients.

        A mail that some of its recipients have was sent; the refusals of the others are logged. Raises
        `MailNotSentError` for the first that was not, unless `fail_silently`.
        """
        sent = 0
        for message in email_messages:
            try:
                sent += self._send(message)
            except MailNotSentError:
                if not self.fail_silently:
                    raise
        return sent

    def _send(self, mail: EmailMessage) -> bool:
        encoding = mail.encoding or settings.DEFAULT_CHARSET
        sender, *to = (
            parseaddr(sanitize_address(address, encoding))[1] for address in (mail.from_email, *mail.recipients())
        )
        if not to:
            return False
        given = {name.lower() for name in mail.extra_headers}
        mail.extra_headers |= {name: value for name, value in automatic_headers().items() if name.lower() not in given}
        timeout = settings.EMAIL_TIMEOUT if self._timeout is None else self._timeout
        dialer = Dialer(Exchange(timeout), LOOKUPS, allowed=None)
        answer = send_by(
            Session(self._server(), dialer, domain=our_domain()), mail, sender=sender, to=to, recipients=to
        )
        if answer.outcome != Outcome.SUCCEEDED and not answer.reached:
            raise MailNotSentError(answer.error)
        if answer.error:
            log.warning("mail_refused_by_some", error=answer.error)
        return True

    def _server(self) -> MailServer:
        server = MailServer.named()
        return replace(
            server,
            user=server.user if self._username is None else self._username,
            password=server.password if self._password is None else self._password,
        )
