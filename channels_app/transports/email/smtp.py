"""One SMTP session under one deadline: `smtplib` taught to use our sockets, and to believe no server.

Of `smtplib` come the commands, the reading of what a server offers and the framing. Replies are read here: the
standard library takes anything that begins with a number for one, and any length of it. `_get_socket` is the one name
used that is not documented.
"""

import base64
import binascii
import re
import smtplib
import ssl
from collections.abc import Sequence
from typing import Any

from channels_app.transports.email.mailserver import MailServer
from channels_app.transports.email.smtp_auth import (
    CRAM_MD5,
    IN_CLEAR,
    INSIDE_TLS,
    WRONG_CREDENTIALS,
    Credentials,
    in_base64,
)
from channels_app.transports.email.smtp_replies import (
    BEGINNING_OF_A_LINE,
    CLOSING,
    LINE,
    LackingError,
    NotSMTPError,
    RefusedError,
    Reply,
    Step,
    shown,
)
from channels_app.transports.http.answers import KEPT_BODY_BYTES, storable
from channels_app.transports.net.deadline import HeadTooLargeError, Phase
from channels_app.transports.net.dialing import Dialer, literal_address
from channels_app.transports.net.tls import tls_context
from channels_app.transports.rules import MASK

QUIT_SECONDS = 1.0


class Session(smtplib.SMTP):
    """Sends one message to one server: `start`, `offer`, `deliver`, then `leave`, or `close` after a failure.

    `step` is what was asked last, `reply` the last whole reply, `replies` those to each recipient. `unanswered` says
    that the whole message is with the server, which has not said what it does with it.

    All methods raise `RefusedError`, `LackingError`, `NotSMTPError`, `HeadTooLargeError`, and `OSError`, which the end
    of the deadline is, too; connecting raises what the dialer raises.
    """

    def __init__(self, server: MailServer, dialer: Dialer, *, domain: str) -> None:
        """`domain` is the name by which we introduce ourselves, if it can be one."""
        super().__init__(local_hostname=domain)  # without a host nothing is connected yet
        self.server = server
        self.exchange = dialer.exchange
        self._dialer = dialer
        self._hidden: list[str] = []
        self._said = b""
        self.step = Step.GREETING
        self.reply = Reply(0)
        self.replies: dict[str, Reply] = {}
        self.unanswered = False

    # The conversation

    def start(self) -> None:
        """Connect, introduce ourselves, encrypt and sign in, as far as the server's settings ask for it."""
        self.connect(self.server.host, self.server.port)
        self._expect(220)
        self.local_hostname = _introduction(self.local_hostname, self.sock)
        self._introduce()
        if self.server.tls == "starttls":
            self._encrypt()
            self._introduce()
        if self.server.user and self.server.password:
            self._sign_in()

    def offer(self, sender: str, recipients: Sequence[str], *, size: int) -> None:
        """Name sender and recipients of a message of so many bytes; `replies` say who may have it."""
        size_said = f" SIZE={size}" if self.has_extn("size") else ""
        self._ask(Step.MAIL, "MAIL", f"FROM:<{sender}>{size_said}")
        self._expect()
        for recipient in recipients:
            reply = self._ask(Step.RCPT, "RCPT", f"TO:<{recipient}>")
            if reply.code == CLOSING or not reply.refused:
                self._expect()
            self.replies[recipient] = reply

    def deliver(self, content: bytes) -> Reply:
        """Send the message, in lines that end in CRLF, to all recipients that were accepted. Returns the last reply."""
        self._ask(Step.DATA, "DATA")
        self._expect(354)
        self.step = Step.MESSAGE
        stuffed = re.sub(rb"(?m)^\.", b"..", content)
        self.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        self.unanswered = True
        self.getreply()
        reply = self._expect()
        self.unanswered = False
        return reply

    def leave(self) -> None:
        """Take leave of a server that has said what there was to say, and close. Takes a second at most."""
        try:
            self.exchange.shorten(QUIT_SECONDS)
            self._ask(Step.QUIT, "QUIT")
        except (OSError, NotSMTPError, HeadTooLargeError):
            pass  # what there was to settle is settled
        finally:
            self.close()

    @property
    def may_encrypt(self) -> bool:
        """The session is in clear, and the server offers that it is not."""
        return not self.server.tls and self.has_extn("starttls")

    @property
    def progress(self) -> str:
        """Where the session is, as the end of a sentence."""
        phase = self.exchange.phase
        if self.step == Step.GREETING and phase in {Phase.WAIT, Phase.READ}:
            return "reading the greeting" if phase == Phase.READ else "waiting for the greeting"
        by_phase = {
            Phase.SEND: f"sending {self.step}",
            Phase.WAIT: f"waiting for the answer to {self.step}",
            Phase.READ: f"reading the answer to {self.step}",
        }
        return by_phase.get(phase, str(phase))

    @property
    def _answered(self) -> str:
        return "greets us" if self.step == Step.GREETING else f"answered {self.step}"

    # Its steps

    def _introduce(self) -> None:
        self.step = Step.EHLO
        self.does_esmtp = False
        code, _ = self.ehlo()
        if code >= 500:
            self.step = Step.HELO
            self.helo()
        self._expect()

    def _encrypt(self) -> None:
        if not self.has_extn("starttls"):
            raise LackingError(
                "offers no STARTTLS, which EMAIL_URL asks for (smtp+tls); neither password nor message was sent"
            )
        self._ask(Step.STARTTLS, "STARTTLS")
        self._expect(220)
        plain: Any = self.sock
        self.sock = self._context().wrap_socket(plain, server_hostname=self.server.host)
        self.file = None  # and with it all that came in clear after the answer (RFC 3207, section 6)

    def _sign_in(self) -> None:
        offered = self.esmtp_features.get("auth", "").upper().split()
        if not offered and self.may_encrypt:
            raise LackingError(
                "takes no user name and password before STARTTLS; an operator must let EMAIL_URL begin with smtp+tls://"
            )
        if not offered:
            raise LackingError("takes no user name and password (it offers no AUTH); an operator must mend EMAIL_URL")
        ways = [way for way in (INSIDE_TLS if isinstance(self.sock, ssl.SSLSocket) else IN_CLEAR) if way in offered]
        if not ways:
            more = "; with smtp+tls:// in EMAIL_URL it may offer more" if self.may_encrypt else ""
            raise LackingError(f"offers none of the ways to sign in that Tidings knows ({', '.join(IN_CLEAR)}){more}")
        credentials = Credentials.of(self.server.user, self.server.password)
        self._hidden = credentials.spellings()
        for way in ways:
            reply = self._try(way, credentials)
            if reply.accepted or reply.for_now or (reply.code == WRONG_CREDENTIALS and way != CRAM_MD5):
                break
        self._expect()

    def _try(self, way: str, credentials: Credentials) -> Reply:
        """Sign in one way. Returns the last reply: 334 where the server asks for more and more."""
        reply = self._ask(Step.AUTH, "AUTH", f"{way} {credentials.sent_along(way)}".rstrip())
        if reply.code != 334:
            return reply
        try:
            challenge = base64.b64decode(self._said)
        except binascii.Error as error:
            raise NotSMTPError("answered AUTH with what is not base64") from error
        for answer in credentials.answers(way, challenge):
            if reply.code == 334:
                reply = self._ask(Step.AUTH, in_base64(answer))
        return reply

    def _ask(self, step: Step, command: str, argument: str = "") -> Reply:
        self.step = step
        self.docmd(command, argument)
        return self.reply

    def _expect(self, code: int | None = None) -> Reply:
        """The last reply, if it is the one expected: `code`, or any that accepts."""
        reply = self.reply
        if reply.refused:
            self.unanswered = False
            raise RefusedError(self.step, reply)
        if reply.code != code if code else not reply.accepted:
            raise NotSMTPError(f"{self._answered} with {reply}")
        return reply

    # What smtplib calls

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        sock: Any = self._dialer.dial(host, port)
        if self.server.tls == "implicit":
            sock = self._context().wrap_socket(sock, server_hostname=host)
        self.exchange.connected()
        return sock

    def _context(self) -> ssl.SSLContext:
        return tls_context(self.server.bundle, http=False)

    def send(self, s: Any) -> None:
        self.exchange.phase = Phase.SEND
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """The next reply, of at most 64 KiB: its code, and its lines without it. The last line's code counts.

        A last line without its end counts as well where the server has closed the connection after it.
        """
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("There is no connection.")
        self.exchange.phase = Phase.WAIT
        self.exchange.begin_head()
        self.file = self.file or self.sock.makefile("rb")
        lines = []
        while True:
            line = self.file.readline()
            found = LINE.fullmatch(line.rstrip(b"\r\n"))
            is_cut_off = not line.endswith(b"\n") and (not found or found[2] == b"-")
            if is_cut_off and BEGINNING_OF_A_LINE.fullmatch(line):
                raise smtplib.SMTPServerDisconnected("The connection was closed.")
            if not found:
                raise NotSMTPError(f"{self._answered} with “{shown(self._readable(line))}”")
            lines.append(found[3] or b"")
            if found[2] != b"-":
                break
        text = b"\n".join(lines)
        self.reply, self._said = Reply(int(found[1]), self._readable(text)), text
        return self.reply.code, text

    def _readable(self, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        for hidden in self._hidden:
            text = text.replace(hidden, MASK)
        return storable(text).encode()[: KEPT_BODY_BYTES - len("250 ")].decode("utf-8", "ignore")


def _introduction(domain: str, sock: Any) -> str:
    """The name for EHLO (RFC 5321, section 4.1.3): our domain, or our address where that is no full name."""
    if "." in domain and not literal_address(domain):
        return domain
    address: str = sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
