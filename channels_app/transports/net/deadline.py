"""Sockets that know when their exchange must be over.

A socket's own timeout starts anew at every call: a receiver that drips one byte a second holds it for ever. These set
the time left before each call instead. (In CPython a timeout bounds the whole of one connect, handshake, send or
receive, so that is enough.)
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, cast

from channels_app.transports.base import Connection

MAX_HEAD_BYTES = 64 * 1024


class Phase(StrEnum):
    """Where an exchange is, as the end of a sentence."""

    LOOKUP = "looking up the name"
    CONNECT = "connecting"
    TUNNEL = "waiting for the egress proxy"
    TLS = "agreeing on TLS"
    SEND = "sending the request"
    WAIT = "waiting for an answer"
    READ = "reading the answer"


class HeadTooLargeError(Exception):
    """The head of an answer (a whole reply, in SMTP) exceeds `MAX_HEAD_BYTES`."""


class Exchange:
    """One request and its answer: the deadline, and how far things have come.

    `received` counts the bytes of the answer (inside TLS; a proxy's consent to a tunnel is no part of it), `ended` says
    that the peer has closed its side, `reused` that the connection had served an exchange before. `address` is the one
    connected to, `took` how long (seconds) each phase took that has ended: of those, a first byte ends the waiting.
    Of a TLS handshake that failed, `certificates` says how many the peer had shown, and `cipher_agreed` whether it had
    chosen a cipher.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._deadline = time.monotonic() + timeout
        self.sent_again = False
        self._begin()

    def begin_again(self) -> None:
        """The request goes out once more, over another connection: the deadline stays."""
        self.sent_again = True
        self._begin()

    def _begin(self) -> None:
        self.phase = Phase.LOOKUP
        self.received = 0
        self.ended = False
        self.reused = False
        self.address = ""
        self.took: dict[Phase, float] = {}
        self.certificates = 0
        self.cipher_agreed = False
        self._sent_from: float | None = None
        self._head_left: int | None = None

    @contextmanager
    def timed(self, phase: Phase) -> Iterator[None]:
        """The exchange is in this phase until the block ends, in whatever way."""
        self.phase = phase
        began = time.monotonic()
        try:
            yield
        finally:
            self.took[phase] = time.monotonic() - began

    @property
    def was_stale(self) -> bool:
        """Whether a kept connection turned out to be closed: not one byte of an answer came over it in time."""
        return self.reused and not self.received and not self.expired

    @property
    def is_open(self) -> bool:
        """Whether a kept connection still stands, and there is time."""
        return self.reused and not self.ended and not self.expired

    def left(self) -> float:
        """Seconds left, more than 0. Raises `TimeoutError` once there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("The deadline of the exchange is over.")
        return left

    @property
    def expired(self) -> bool:
        # A millisecond of grace: a wait for exactly the time left ends about now, not after now.
        return time.monotonic() >= self._deadline - 0.001

    def shorten(self, seconds: float) -> None:
        """Move the deadline forward, to `seconds` from now at the latest."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def milliseconds(self, phase: Phase) -> int | None:
        """How long a phase took; None for one that has not ended."""
        seconds = self.took.get(phase)
        return None if seconds is None else round(1000 * seconds)

    def as_connection(self) -> Connection:
        """The address, kind and times of the connection, for the log."""
        return Connection(
            address=self.address,
            kept=self.reused,
            sent_again=self.sent_again,
            lookup_ms=self.milliseconds(Phase.LOOKUP),
            connect_ms=self.milliseconds(Phase.CONNECT),
            tls_ms=self.milliseconds(Phase.TLS),
            first_byte_ms=self.milliseconds(Phase.WAIT),
        )

    def connected(self) -> None:
        """Connection, tunnel and TLS stand; whatever is received from now on is the answer."""
        self.phase = Phase.SEND
        self._sent_from = time.monotonic()

    def begin_head(self) -> None:
        """A reply of SMTP comes next: at most `MAX_HEAD_BYTES`, give or take one buffer."""
        self._head_left = MAX_HEAD_BYTES

    def count(self, size: int) -> None:
        """Take note of a receive of `size` bytes."""
        if not size:
            self.ended = True
        elif self.phase in {Phase.SEND, Phase.WAIT, Phase.READ}:
            if not self.received and self._sent_from is not None:
                self.took[Phase.WAIT] = time.monotonic() - self._sent_from
            self.phase = Phase.READ
            self.received += size
        if self._head_left is not None:
            self._head_left -= size
            if self._head_left < 0:
                raise HeadTooLargeError(f"more than {MAX_HEAD_BYTES} bytes")


class DeadlineSocket(socket.socket):
    """A TCP socket bound to an exchange.

    Beside the methods of sockets, each of which ends by the deadline, there are those of `now`: they do what can be
    done without waiting, for callers that send and receive at the same time.
    """

    def __init__(self, exchange: Exchange, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self.exchange = exchange

    def send(self, *args: Any) -> int:
        self.settimeout(self.exchange.left())
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.exchange.left())
        super().sendall(*args)

    def recv(self, *args: Any) -> bytes:
        self.settimeout(self.exchange.left())
        data = super().recv(*args)
        self.exchange.count(len(data))
        return data

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.exchange.left())
        size = super().recv_into(*args)
        self.exchange.count(size)
        return size

    def send_now(self, data: bytes | memoryview) -> int:
        """Send as much as the system takes at once: 0 bytes where its buffers are full."""
        self.settimeout(0)
        try:
            return super().send(data)
        except BlockingIOError:
            return 0

    def receive_now(self, size: int) -> bytes | None:
        """At most so many bytes of what has come; b"" where the peer has closed, None where nothing has come."""
        self.settimeout(0)
        try:
            data = super().recv(size)
        except BlockingIOError:
            return None
        self.exchange.count(len(data))
        return data

    def is_quiet(self) -> bool:
        """Whether the connection stands, and all that has come over it has been read."""
        self.settimeout(0)
        try:
            super().recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False


class DeadlineSSLSocket(ssl.SSLSocket):
    """The same inside TLS. `recv` and `recv_into` come through `read`, `sendall` through `send`."""

    exchange: Exchange

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(self.exchange.left())
        super().do_handshake(block)

    def recv(self, *args: Any) -> bytes:
        try:
            return super().recv(*args)
        except OSError:
            if not hasattr(self, "exchange"):
                self.close()  # it was reset while it was being made, and no caller has it to close it
            raise

    def send(self, *args: Any) -> int:
        self.settimeout(self.exchange.left())
        return super().send(*args)

    def read(self, *args: Any) -> Any:
        self.settimeout(self.exchange.left())
        data: Any = super().read(*args)
        self.exchange.count(data if isinstance(data, int) else len(data))
        return data

    def send_now(self, data: bytes | memoryview) -> int:
        """As of a `DeadlineSocket`. Raises `ssl.SSLWantReadError` where TLS must receive something first."""
        self.settimeout(0)
        try:
            return super().send(data)
        except ssl.SSLWantWriteError:
            return 0

    def receive_now(self, size: int) -> bytes | None:
        self.settimeout(0)
        try:
            data = super().read(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        self.exchange.count(len(data))
        return data

    def is_quiet(self) -> bool:
        self.settimeout(0)
        try:
            if not self.pending():
                socket.socket.recv(self, 1, socket.MSG_PEEK)
            # It may be a record of TLS itself, such as a ticket for another session.
            super().read(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            pass
        return False


class DeadlineContext(ssl.SSLContext):
    """A TLS context that hands the exchange of a `DeadlineSocket` on to the socket that wraps it.

    It can be shared by threads: once made, nothing changes it.
    """

    sslsocket_class = DeadlineSSLSocket

    def wrap_socket(  # type: ignore[override]  # narrower on purpose: client sockets only
        self, sock: DeadlineSocket | DeadlineSSLSocket, *, server_hostname: str | None = None
    ) -> DeadlineSSLSocket:
        exchange = sock.exchange
        exchange.phase = Phase.TLS
        wrapped = cast(
            DeadlineSSLSocket,
            super().wrap_socket(sock, do_handshake_on_connect=False, server_hostname=server_hostname),
        )
        wrapped.exchange = exchange
        try:
            with exchange.timed(Phase.TLS):
                wrapped.do_handshake()
        except (OSError, ValueError):
            note_failed_handshake(exchange, wrapped)
            wrapped.close()
            raise
        return wrapped


def note_failed_handshake(exchange: Exchange, sock: ssl.SSLSocket | ssl.SSLObject) -> None:
    """Take note of how far it came."""
    if sock._sslobj is None:  # type: ignore[union-attr]
        return  # The connection was over before TLS began. Python says so when the handshake is asked for.
    exchange.cipher_agreed = sock.cipher() is not None
    # Documented from Python 3.13 on; before that it lies one level deeper.
    known = sock if hasattr(sock, "get_unverified_chain") else sock._sslobj  # type: ignore[union-attr]
    if hasattr(known, "get_unverified_chain"):
        exchange.certificates = len(known.get_unverified_chain() or ())
