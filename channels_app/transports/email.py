"""The e-mail channel: one message to all of a channel's recipients, by the server of `EMAIL_URL`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from email.charset import QP, Charset
from email.generator import BytesGenerator
from email.message import Message as MimeMessage
from email.utils import parseaddr
from io import BytesIO
from typing import ClassVar, cast

from django.core.mail import EmailMessage, get_connection

from channels_app.transports.base import Answer, Destination, Message, Outcome, Takes
from channels_app.transports.deadline import Exchange
from channels_app.transports.dialing import CONNECT_SECONDS, LOOKUP_SECONDS, Dialer
from channels_app.transports.lookup import Lookups, Resolve
from channels_app.transports.mail import compose
from channels_app.transports.mail_outcomes import FAILURES, of_failure, of_refusal, of_replies
from channels_app.transports.mailserver import MailServer, our_domain
from channels_app.transports.smtp import Session
from channels_app.transports.smtp_replies import LackingError, RefusedError

# There is one name to look up. (Threads of its own: names of receivers that hang do not keep mail from going.)
_LOOKUPS = Lookups(threads=2)
# A header is folded from here on: not every system takes a folded Message-ID, or a subject whose first line is empty.
# (998 are allowed, RFC 5322, section 2.1.1.)
LINE_BYTES = 900
_QUOTED_PRINTABLE = Charset("utf-8")
_QUOTED_PRINTABLE.body_encoding = QP


class EmailTransport:
    """Mails are sent one by one, each over a connection of its own.

    All that `EMAIL_URL` can name other than an SMTP server is Django's to send, without a deadline.
    """

    kind: ClassVar[str] = "email"
    label: ClassVar[str] = "E-mail"
    takes: ClassVar[Takes] = Takes(recipients=True)

    def __init__(
        self,
        resolve: Resolve = _LOOKUPS,
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
            return Answer(Outcome.SUCCEEDED, request_headers=_headers(mail), reached=tuple(to))
        dialer = Dialer(
            exchange,
            self._resolve,
            allowed=None,
            lookup_seconds=self._lookup_seconds,
            connect_seconds=self._connect_seconds,
        )
        return _sent(Session(server, dialer, domain=domain), mail, destination.recipients, had)


def _sent(session: Session, mail: EmailMessage, recipients: Sequence[str], had: Collection[str]) -> Answer:
    """Send `mail` in a session, and end that. `recipients` are all of the channel, those in `had` have it already."""
    message = mail.message()
    content, sender = _as_bytes(message), parseaddr(str(message["From"]))[1]
    has_ended = False
    try:
        try:
            session.start()
            session.offer(sender, mail.to, size=len(content))
            if any(reply.accepted for reply in session.replies.values()):
                session.deliver(content)
            judgement = of_replies(session, recipients, had)
        except RefusedError as error:
            judgement = of_refusal(error, session, recipients, had, sender)
        except FAILURES as error:
            judgement = of_failure(error, session)
            has_ended = not isinstance(error, LackingError)
        answer = Answer(
            judgement.outcome,
            url=session.server.url,
            status_code=judgement.status_code,
            request_headers=_headers(mail),
            response_headers={recipient: str(reply) for recipient, reply in session.replies.items()},
            response_body="" if has_ended else session.reply.whole(),
            error=judgement.sentence,
            connection=session.exchange.as_connection(),
            retry=judgement.retry,
            reached=judgement.reached,
        )
        if not has_ended:
            session.leave()
    finally:
        session.close()
    return answer


def _as_bytes(message: MimeMessage) -> bytes:
    """In lines that end in CRLF, and in ASCII: not every server takes more (8BITMIME, SMTPUTF8)."""
    for part in message.walk():
        if part["Content-Transfer-Encoding"] == "8bit":
            text = cast(bytes, part.get_payload(decode=True)).decode()
            del part["Content-Transfer-Encoding"]
            part.set_payload(text, _QUOTED_PRINTABLE)
    content = BytesIO()
    BytesGenerator(content, mangle_from_=False, maxheaderlen=LINE_BYTES).flatten(message, linesep="\r\n")
    return content.getvalue()


def _headers(mail: EmailMessage) -> dict[str, str]:
    """What the log tells of a mail, as people read it."""
    return {
        "From": str(mail.extra_headers.get("From", mail.from_email)),
        "To": ", ".join(mail.to),
        "Subject": str(mail.subject),
        "Message-ID": str(mail.extra_headers["Message-ID"]),
    }
