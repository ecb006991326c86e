"""One mail in one SMTP session: its bytes, and what came of it."""

from collections.abc import Collection, Sequence
from email.charset import QP, Charset
from email.generator import BytesGenerator
from email.message import Message as MimeMessage
from io import BytesIO
from typing import cast

from django.core.mail import EmailMessage

from channels_app.transports.base import Answer
from channels_app.transports.email.outcomes import FAILURES, of_failure, of_refusal, of_replies
from channels_app.transports.email.smtp import Session
from channels_app.transports.email.smtp_replies import LackingError, RefusedError
from channels_app.transports.net.lookup import Lookups

# There is one name to look up. (Threads of its own: names of receivers that hang do not keep mail from going.)
LOOKUPS = Lookups(threads=2)
# A header is folded from here on: not every system takes a folded Message-ID, or a subject whose first line is empty.
# (998 are allowed, RFC 5322, section 2.1.1.)
LINE_BYTES = 900
_QUOTED_PRINTABLE = Charset("utf-8")
_QUOTED_PRINTABLE.body_encoding = QP


def send_by(
    session: Session,
    mail: EmailMessage,
    *,
    sender: str,
    to: Sequence[str],
    recipients: Sequence[str],
    had: Collection[str] = (),
) -> Answer:
    """Send `mail` to all of `to` in a session, and end that. Answers for every failure, as `Transport.send`.

    `recipients` are all who are to have it, of which those in `had` (in lower case) have it already. Raises Django's
    `BadHeaderError` for a mail whose headers have a line break in them.
    """
    content = _as_bytes(mail.message())
    has_ended = False
    try:
        try:
            session.start()
            session.offer(sender, to, size=len(content))
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
            request_headers=headers_shown(mail),
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
    """The mail's bytes, with CRLF and in ASCII: not every server takes more (8BITMIME, SMTPUTF8)."""
    for part in message.walk():
        if part["Content-Transfer-Encoding"] == "8bit":
            text = cast(bytes, part.get_payload(decode=True)).decode()
            del part["Content-Transfer-Encoding"]
            part.set_payload(text, _QUOTED_PRINTABLE)
    content = BytesIO()
    BytesGenerator(content, mangle_from_=False, maxheaderlen=LINE_BYTES).flatten(message, linesep="\r\n")
    return content.getvalue()


def headers_shown(mail: EmailMessage) -> dict[str, str]:
    """The request of a mail as the log shows it."""
    return {
        "From": str(mail.extra_headers.get("From", mail.from_email)),
        "To": ", ".join(mail.to),
        "Subject": str(mail.subject),
        "Message-ID": str(mail.extra_headers.get("Message-ID", "")),
    }
