"""Judges an SMTP session: outcome, sentence and recipients."""

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from channels_app.text import some
from channels_app.transports.base import Outcome
from channels_app.transports.email.smtp import Session
from channels_app.transports.email.smtp_replies import CLOSING, LackingError, NotSMTPError, RefusedError, Reply, Step
from channels_app.transports.net.deadline import MAX_HEAD_BYTES, HeadTooLargeError, Phase
from channels_app.transports.net.dialing import AddressRefusedError, NoConnectionError
from channels_app.transports.net.faults import over_time, why_no_tls

MAY_HAVE_ARRIVED = (
    "The message may have arrived; if it is sent again, it has the same Message-ID, by which mailboxes know it."
)
# How many recipients a sentence names.
NAMED = 3
# What a session that was not refused can raise.
FAILURES = (
    LackingError,
    NotSMTPError,
    HeadTooLargeError,
    NoConnectionError,
    AddressRefusedError,
    OSError,
)


@dataclass(frozen=True)
class Judgement:
    """`status_code`, `retry` and `reached` as in `Answer`."""

    outcome: Outcome
    sentence: str = ""
    status_code: int | None = None
    retry: bool | None = None
    reached: tuple[str, ...] = ()


def of_replies(session: Session, recipients: Sequence[str], had: Iterable[str]) -> Judgement:
    """Judge a session whose message, if there was one to send, was accepted.

    `recipients` are all of the channel, of which those in `had` (in lower case) had the message before.
    """
    refused = {recipient: reply for recipient, reply in session.replies.items() if reply.refused}
    accepted = tuple(recipient for recipient in session.replies if recipient not in refused)
    if not refused:
        return Judgement(Outcome.SUCCEEDED, status_code=session.reply.code, reached=accepted)
    have = _reached(recipients, {*had, *(recipient.lower() for recipient in accepted)})
    why = " ".join(filter(None, [_refusals(refused), _wanted_tls(session, *refused.values())]))
    for_now = [reply for reply in refused.values() if reply.for_now]
    if have and not for_now:
        sentence = f"{_count_reached(have, recipients)}. {why}"
        code = session.reply.code if accepted else None
        return Judgement(Outcome.SUCCEEDED, sentence, status_code=code, reached=accepted)
    return Judgement(
        Outcome.REFUSED,
        _after_the_reached(have, recipients, why),
        status_code=(for_now or list(refused.values()))[0].code,
        retry=bool(for_now),
        reached=accepted,
    )


def of_refusal(
    error: RefusedError, session: Session, recipients: Sequence[str], had: Iterable[str], sender: str
) -> Judgement:
    """Judge a session that the server refused to go on with."""
    refused = {recipient: reply for recipient, reply in session.replies.items() if reply.refused}
    wanted = _wanted_tls(session, error.reply, *refused.values())
    said = _of_step(error.step, error.reply, str(session.server), sender, mend=not wanted)
    sentences = [said, _refusals(refused), wanted]
    return Judgement(
        Outcome.REFUSED,
        _after_the_reached(_reached(recipients, had), recipients, " ".join(filter(None, sentences))),
        status_code=error.reply.code,
        retry=error.reply.for_now or any(reply.for_now for reply in refused.values()),
    )


def of_failure(error: BaseException, session: Session) -> Judgement:
    """Judge a session that ended before the server had said yes or no."""
    outcome, sentence = _failure(error, session)
    return Judgement(outcome, f"{sentence} {MAY_HAVE_ARRIVED}" if session.unanswered else sentence)


def _failure(error: BaseException, session: Session) -> tuple[Outcome, str]:
    server, exchange = session.server, session.exchange
    if isinstance(error, NotSMTPError):
        return Outcome.PROTOCOL_ERROR, f"{server} {error}, which is not SMTP."
    if isinstance(error, HeadTooLargeError):
        answer = "greeting" if session.step == Step.GREETING else f"answer to {session.step}"
        return Outcome.PROTOCOL_ERROR, f"The {answer} is larger than {MAX_HEAD_BYTES // 1024} KiB."
    if isinstance(error, LackingError):
        return Outcome.CONNECTION_ERROR, f"{server} {error}."
    if exchange.expired:
        return Outcome.TIMEOUT, over_time(exchange, session.progress)
    if isinstance(error, NoConnectionError | AddressRefusedError):
        return Outcome.CONNECTION_ERROR, str(error)
    if exchange.phase == Phase.TLS or isinstance(error, ssl.SSLError):
        sentence = why_no_tls(error, exchange, server.host, server.port, where_plain=_where_plain(session))
        return Outcome.CONNECTION_ERROR, sentence or f"{server} closed the connection during the TLS handshake."
    if session.unanswered:
        return Outcome.CONNECTION_ERROR, f"{server} closed the connection before it answered to the message."
    what = "" if session.step == Step.GREETING else f" {session.step}"
    return Outcome.CONNECTION_ERROR, f"{server} closed the connection before it answered{what}."


def _where_plain(session: Session) -> str:
    if session.server.tls == "implicit":
        return "EMAIL_URL may have to begin with smtp+tls:// or smtp://"
    return "it offers STARTTLS in vain"


def _wanted_tls(session: Session, *replies: Reply) -> str:
    """The setting to change where a server refuses because nothing is encrypted; "" where that is not why."""
    if session.server.tls or not any(reply.wants_tls for reply in replies):
        return ""
    says_how = session.may_encrypt or any("STARTTLS" in reply.text.upper() for reply in replies)
    schemes = "smtp+tls://" if says_how else "smtp+tls:// or smtps://"
    return f"It wants TLS: an operator must let EMAIL_URL begin with {schemes}."


def _of_step(step: Step, reply: Reply, server: str, sender: str, *, mend: bool = True) -> str:
    """`mend`: what to do is said, where it is known."""
    for_now = " for now" if reply.for_now else ""
    if step == Step.GREETING or reply.code == CLOSING:
        return f"{server} takes no mail{for_now}: {reply}."
    if step == Step.AUTH:
        refused = f"{server} refused the user name and password{for_now}: {reply}."
        how = "If that stays so, an operator must mend EMAIL_URL." if for_now else "An operator must mend EMAIL_URL."
        return f"{refused} {how}" if mend else refused
    what = {
        Step.MAIL: f"the sender {sender}",
        Step.DATA: "the message",
        Step.MESSAGE: "the message",
    }.get(step, str(step))
    return f"{server} refused {what}{for_now}: {reply}."


def _refusals(refused: dict[str, Reply]) -> str:
    """The first few by name: the replies to all of them stand in the attempt."""
    sentences = [
        f"{recipient} was refused{' for now' if reply.for_now else ''}: {reply}."
        for recipient, reply in list(refused.items())[:NAMED]
    ]
    more = len(refused) - NAMED
    return " ".join([*sentences, f"So {'was' if more == 1 else 'were'} {more} more."] if more > 0 else sentences)


def _reached(recipients: Sequence[str], had: Iterable[str]) -> list[str]:
    known = set(had)
    return [recipient for recipient in recipients if recipient.lower() in known]


def _count_reached(have: Sequence[str], recipients: Sequence[str]) -> str:
    return f"{len(have)} of {len(recipients)} recipients {'has' if len(have) == 1 else 'have'} it"


def _after_the_reached(have: Sequence[str], recipients: Sequence[str], sentence: str) -> str:
    if not have:
        return sentence
    return f"{_count_reached(have, recipients)}: {some(have, NAMED)}. {sentence}"
