"""Mail servers on loopback for tests: a proper one, and one that does whatever it is told to, at any stage.

with MailServer(refuse={"RCPT": lambda address: "550 5.1.1 No such user"}) as server:
    ...  # look at server.mails

with HostileMailServer(speaks({"MAIL": b"451 4.3.0 Later\\r\\n"})) as server:
    ...  # look at server.commands
"""

import contextlib
import email.policy
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import chain, repeat
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.servers.hostile import Behaviour, HostileServer, Peer

# What a server does at a stage: a reply, or what it does in place of one, and of all that would follow.
Action = bytes | Callable[[Peer], None]


@dataclass(frozen=True)
class Mail:
    """A mail that was accepted: the envelope, the bytes, and who had signed in."""

    sender: str
    recipients: list[str]
    content: bytes
    user: str | None
    over_tls: bool
    introduced_as: str

    @property
    def message(self) -> EmailMessage:
        parsed = BytesParser(policy=email.policy.default).parsebytes(self.content)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class MailServer:
    """A server that accepts mail. `mails` is in the order of arrival.

    `refuse` has for MAIL, RCPT or DATA what the server answers in place of "OK", by the address (for DATA: those
    accepted, with commas); None accepts. `accounts` are the passwords of those who may sign in. `withheld` are
    extensions that it has and does not offer.
    """

    refuse: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    starttls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    withheld: Iterable[str] = ()
    host: str = "127.0.0.1"
    port: int = 0
    mails: list[Mail] = field(default_factory=list)

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, self.port), family=family)
        self.port = int(self._listener.getsockname()[1])
        self._controller = _Controller(
            self,
            self._listener,
            hostname=self.host,
            port=self.port,
            server_hostname="mail.test",
            ssl_context=self.tls,
            tls_context=self.starttls,
            auth_require_tls=False,
            authenticator=self._signs_in if self.accounts else None,
            auth_exclude_mechanism=() if self.accounts else ("LOGIN", "PLAIN"),
        )
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
        self._listener.close()

    def _signs_in(self, server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
        user = given.login.decode()
        known = self.accounts.get(user) == given.password.decode()
        return AuthResult(success=known, handled=known, auth_data=user)

    def _refusal(self, command: str, argument: str) -> str | None:
        return self.refuse[command](argument) if command in self.refuse else None

    # What aiosmtpd calls

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, replies: list[str]) -> list[str]:
        session.host_name = name
        return [reply for reply in replies if reply[4:].split(" ")[0] not in self.withheld]

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if refusal := self._refusal("MAIL", address):
            return refusal
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if refusal := self._refusal("RCPT", address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if refusal := self._refusal("DATA", ",".join(envelope.rcpt_tos)):
            return refusal
        self.mails.append(
            Mail(
                envelope.mail_from,
                list(envelope.rcpt_tos),
                envelope.original_content,
                session.auth_data,
                session.ssl is not None or self.tls is not None,
                session.host_name,
            )
        )
        return f"250 2.0.0 OK: queued as {len(self.mails)}"


class _Controller(Controller):
    """One that takes a socket that listens already, so that no port has to be guessed."""

    def __init__(self, handler: Any, listener: socket.socket, **options: Any) -> None:
        super().__init__(handler, **options)
        self._listening = listener

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)


class HostileMailServer(HostileServer):
    """What `speaks` makes of it."""

    @property
    def commands(self) -> list[str]:
        """What it was asked, "message" in the place of each message."""
        return [line.decode() for line, _ in self.requests]

    @property
    def contents(self) -> list[bytes]:
        """The messages it was sent, with their dots still doubled."""
        return [content for line, content in self.requests if line == b"message"]

    def keep(self, sock: socket.socket) -> None:
        """Close this one, too, at the end."""
        self._open.append(sock)


class _Lines:
    """What a peer sends, in lines. (No `makefile`: that would keep the socket open after its closing.)"""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = b""

    def next(self) -> bytes:
        """Empty at the end."""
        while b"\n" not in self._read:
            piece = self._sock.recv(65536)
            if not piece:
                return b""
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line + b"\n"

    def up_to(self, end: bytes) -> bytes:
        """All lines before this one. Raises `ConnectionError` where it never comes."""
        lines = []
        while (line := self.next()) != end:
            if not line:
                raise ConnectionError("closed within the message")
            lines.append(line)
        return b"".join(lines)


def speaks(
    at: Mapping[str, Action | Iterable[Action]] | None = None,
    *,
    offers: Iterable[str] = (),
    starttls: ssl.SSLContext | None = None,
) -> Behaviour:
    """A server that accepts all, but for the stages in `at`: there it does what is given.

    A list has one action for each time the stage comes, over all connections, the last one for all that follow.
    """
    offered = ["mail.test", *offers, *(["STARTTLS"] if starttls else [])]
    usual: dict[str, Action] = {
        "greeting": b"220 mail.test ESMTP\r\n",
        "EHLO": b"".join(f"250-{line}\r\n".encode() for line in offered) + b"250 HELP\r\n",
        "HELO": b"250 mail.test\r\n",
        "STARTTLS": b"220 2.0.0 Go ahead\r\n",
        "AUTH": b"235 2.7.0 Welcome\r\n",
        "MAIL": b"250 2.1.0 OK\r\n",
        "RCPT": b"250 2.1.5 OK\r\n",
        "DATA": b"354 Go ahead\r\n",
        "message": b"250 2.0.0 OK: queued as 1\r\n",
        "QUIT": b"221 2.0.0 Bye\r\n",
    }

    def behaviour(peer: Peer) -> None:
        try:
            converse(peer)
        finally:
            if isinstance(peer.sock, ssl.SSLSocket):  # what is inside it is closed by whoever opened it
                peer.sock.close()

    told = {
        stage: chain(actions[:-1], repeat(actions[-1]))
        for stage, given in {**usual, **(at or {})}.items()
        for actions in [[given] if isinstance(given, bytes) or callable(given) else list(given)]
    }

    def converse(peer: Peer) -> None:
        def answers(stage: str) -> bytes:
            """What was answered; empty where the conversation is over."""
            action = next(told[stage])
            if isinstance(action, bytes):
                peer.send(action)
                return action
            action(peer)
            return b""

        if not answers("greeting"):
            return
        lines = _Lines(peer.sock)
        while line := lines.next():
            peer.server.requests.append((line.rstrip(b"\r\n"), b""))
            verb = line.split()[0].upper().decode("latin-1") if line.split() else ""
            stage = verb if verb in told else "AUTH"  # what is no command goes on with the one before
            answer = answers(stage)
            if not answer or stage == "QUIT":
                return
            if stage == "STARTTLS" and starttls:
                lines = _Lines(_encrypted(peer, starttls))
            if stage == "DATA" and answer.startswith(b"354"):
                peer.server.requests.append((b"message", lines.up_to(b".\r\n")))
                if not answers("message"):
                    return

    return behaviour


def _encrypted(peer: Peer, context: ssl.SSLContext) -> socket.socket:
    peer.sock = context.wrap_socket(peer.sock, server_side=True)
    assert isinstance(peer.server, HostileMailServer)
    peer.server.keep(peer.sock)
    return peer.sock


# Actions


def hangs(peer: Peer) -> None:
    peer.hang()


def closes(peer: Peer) -> None:
    """Without a word."""


def resets(peer: Peer) -> None:
    peer.reset()


def begins_and_closes(peer: Peer) -> None:
    """In the middle of a reply."""
    peer.send(b"250-2.0.0 O")


def drips(peer: Peer) -> None:
    """A reply without an end, a byte at a time."""
    peer.drip(chain([b"2", b"5", b"0", b"-"], repeat(b"a")))


def never_ends(peer: Peer) -> None:
    """Line after line, as fast as they are taken."""
    with contextlib.suppress(OSError):
        while not peer.server.stopped.is_set():
            peer.send(b"250-and so on\r\n" * 100)


def never_ends_a_line(peer: Peer) -> None:
    with contextlib.suppress(OSError):
        while not peer.server.stopped.is_set():
            peer.send(b"a" * 10_000)


def in_order(*actions: Callable[[Peer], None]) -> Callable[[Peer], None]:
    def action(peer: Peer) -> None:
        for each in actions:
            each(peer)

    return action
