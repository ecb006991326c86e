"""The e-mail channel: one message to all of a channel's recipients, by the server of `EMAIL_URL`."""

from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import ClassVar

from django.core.mail import get_connection

from channels_app.transports.base import Answer, Destination, Message, Outcome, Transport
from channels_app.transports.email.mailserver import MailServer, our_domain
from channels_app.transports.email.message import compose
from channels_app.transports.email.sending import LOOKUPS, headers_shown, send_by
from channels_app.transports.email.smtp import Session
from channels_app.transports.fields import RecipientsField, Takes
from channels_app.transports.net.deadline import Exchange
from channels_app.transports.net.dialing import CONNECT_SECONDS, LOOKUP_SECONDS, Dialer
from channels_app.transports.net.lookup import Resolve


class EmailTransport(Transport):
    """Mails are sent one by one, each over a connection of its own.

    All that `EMAIL_URL` can name other than an SMTP server is Django's to send, without a deadline.
    """

    kind: ClassVar[str] = "email"
    label: ClassVar[str] = "E-mail"
    about: ClassVar[str] = "For people: one e-mail in words to up to 50 addresses."
    takes: ClassVar[Takes] = Takes(
        recipients=RecipientsField(help_text="E-mail addresses, one a line. At most 50. They see each other.")
    )
    advice: ClassVar[Path | None] = Path(__file__).with_name("advice.html")
    answered_by: ClassVar[str] = "the mail server"

    def __init__(
        self,
        resolve: Resolve = LOOKUPS,
        *,
        lookup_seconds: float = LOOKUP_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._resolve = resolve
        self._lookup_seconds = lookup_seconds
        self._connect_seconds = connect_seconds

    def send(self, destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
        """As `Transport.send`: to those recipients that have not had the message."""
        exchange = Exchange(timeout)
        had = {recipient.lower() for recipient in message.reached}
        to = [recipient for recipient in destination.recipients if recipient.lower() not in had]
        if not to:
            return Answer(Outcome.SUCCEEDED, error="Nothing was sent: all who are recipients by now have it.")
        domain = our_domain()
        mail = compose(message.in_words(), to=to, message_id=f"{message.delivery_id}@{domain}", now=now)
        server = MailServer.of_settings()
        if server is None:
            get_connection(fail_silently=False).send_messages([mail])
            return Answer(Outcome.SUCCEEDED, request_headers=headers_shown(mail), reached=tuple(to))
        dialer = Dialer(
            exchange,
            self._resolve,
            allowed=None,
            lookup_seconds=self._lookup_seconds,
            connect_seconds=self._connect_seconds,
        )
        sender = parseaddr(str(mail.message()["From"]))[1]
        session = Session(server, dialer, domain=domain)
        return send_by(session, mail, sender=sender, to=to, recipients=destination.recipients, had=had)
