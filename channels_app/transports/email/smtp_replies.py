"""The steps of an SMTP session, the server's replies, and the errors of a session."""

import re
from dataclasses import dataclass
from enum import StrEnum

from channels_app.text import printable_line

LONGEST_LINE_SHOWN = 200
CLOSING = 421

# Encryption is needed, for all or to sign in (RFC 5248, section 2.4; RFC 4954, section 6).
_NEEDS_TLS = frozenset({523, 538})
_ASKS_FOR_TLS = re.compile(
    r"\bSTARTTLS\b|\b(must|need|needs|require|requires|use)\b[^.]*\b(TLS|SSL)\b|\b(TLS|SSL|encrypt\w*)\b[^.]*\b(required"
    r"|needed|mandatory)\b|\b[45]\.7\.1[01]\b",
    re.IGNORECASE,
)

# A line of a reply (RFC 5321, section 4.2): code, "-" where another line follows, text.
LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
BEGINNING_OF_A_LINE = re.compile(rb"(?:[2-5](?:[0-9](?:[0-9](?:[ -].*)?)?)?)?", re.DOTALL)


class Step(StrEnum):
    """The last command of a session, as it stands in a sentence."""

    GREETING = "the greeting"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    MESSAGE = "the message"
    QUIT = "QUIT"


@dataclass(frozen=True)
class Reply:
    """A reply. `text` is untrusted: less than 16 KiB in several lines, without NUL and our credentials."""

    code: int
    text: str = ""

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def for_now(self) -> bool:
        """A refusal that another attempt may change."""
        return 400 <= self.code < 500

    @property
    def refused(self) -> bool:
        return self.code >= 400

    @property
    def wants_tls(self) -> bool:
        """A refusal, of a session in clear, that another one would not have met."""
        return self.refused and (self.code in _NEEDS_TLS or _ASKS_FOR_TLS.search(self.text) is not None)

    def whole(self) -> str:
        return f"{self.code} {self.text}".rstrip()

    def __str__(self) -> str:
        """On one line that a sentence can hold, without a full stop."""
        return shown(self.whole()).removesuffix(".")


class RefusedError(Exception):
    """The server refused a step, and with it all of the session."""

    def __init__(self, step: Step, reply: Reply) -> None:
        super().__init__(f"{step}: {reply}")
        self.step, self.reply = step, reply


class LackingError(Exception):
    """The server does not offer what `EMAIL_URL` asks for. The message is the end of a sentence about the server."""


class NotSMTPError(Exception):
    """The server said what is no answer. The message is the end of a sentence about the server."""


def shown(text: str) -> str:
    """A text from outside as part of a sentence: printable, on one line, at most 200 characters."""
    line = printable_line(text)
    return line if len(line) <= LONGEST_LINE_SHOWN else f"{line[:LONGEST_LINE_SHOWN]}…"
