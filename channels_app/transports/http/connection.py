"""A connection to a receiver, and the one exchange that it is at."""

import math
import select
import ssl
import time
from contextlib import suppress
from typing import Protocol

from channels_app.transports.net.deadline import Exchange, Phase

# A receiver does not know that a connection will be reused, and may close it at any moment: Node.js after 5 s. So an
# idle one is not used after 4 s, and none for longer than a minute, so that a name may come to mean another address.
IDLE_SECONDS = 4.0
LONGEST_USE_SECONDS = 60.0

# How long a receiver may pause that goes on reading a request after having answered it.
REST_SECONDS = 2.0
RECEIVED_AT_ONCE = 64 * 1024
# Between two pieces of a request an answer is looked for: TLS would go on for as long as the receiver reads.
SENT_AT_ONCE = 64 * 1024


class Socket(Protocol):
    """A `DeadlineSocket`, plain or inside TLS."""

    exchange: Exchange

    def send_now(self, data: bytes | memoryview) -> int: ...
    def receive_now(self, size: int) -> bytes | None: ...
    def is_quiet(self) -> bool: ...
    def recv(self, size: int, /) -> bytes: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Connection:
    """Works for one exchange after the other, from one thread at a time.

    A request goes out while its answer is awaited: a receiver may answer before it has read all of it, and close.
    """

    def __init__(self, sock: Socket) -> None:
        """`sock` is connected; what is received over it from now on is the answer."""
        self.idle_since = 0.0
        self._sock = sock
        self._opened_at = time.monotonic()
        self._address = sock.exchange.address
        self._unsent = memoryview(b"")
        self._is_cut = False  # a request was given up within
        sock.exchange.connected()

    @property
    def exchange(self) -> Exchange:
        return self._sock.exchange

    def serve(self, exchange: Exchange) -> None:
        """Work for another exchange from now on."""
        exchange.address, exchange.reused = self._address, True
        self._sock.exchange = exchange
        exchange.connected()

    def send(self, request: bytes) -> None:
        """Send what the system takes of a request at once. What is left goes out within `receive`.

        Raises `TimeoutError` where the exchange is over: a process that was stopped sends nothing when it goes on.
        """
        self.exchange.left()
        self._unsent = memoryview(request)
        with suppress(ssl.SSLWantReadError):
            self._send_some()

    def receive(self) -> bytes:
        """The next bytes, as soon as there are some; b"" where the receiver has closed. Raises `OSError`."""
        while self._unsent:
            data = self._sock.receive_now(RECEIVED_AT_ONCE)
            if data is not None:
                return data
            self._push()
        return self._sock.recv(RECEIVED_AT_ONCE)

    def stop_sending(self) -> None:
        """Give up the rest of the request."""
        if self._unsent:
            self._unsent = memoryview(b"")
            self._is_cut = True

    def send_rest(self) -> None:
        """Send what is left of the request to a receiver that has said yes to it, which may be reading on.

        That ends with the exchange, or where the receiver takes nothing for `REST_SECONDS`; whether it takes all of it
        makes no difference any more.
        """
        try:
            while self._unsent:
                if self._sock.receive_now(1) is not None or not self._push(REST_SECONDS):
                    self.stop_sending()
        except OSError:
            self.stop_sending()

    def may_go_on(self) -> bool:
        """Whether all of the request was sent, and the connection is young enough for another one."""
        return not (self._unsent or self._is_cut) and time.monotonic() - self._opened_at <= LONGEST_USE_SECONDS

    def is_usable(self) -> bool:
        """Whether an idle connection still stands, was not idle for long, and nothing has come over it meanwhile."""
        now = time.monotonic()
        return (
            now - self.idle_since <= IDLE_SECONDS
            and now - self._opened_at <= LONGEST_USE_SECONDS
            and self._sock.is_quiet()
        )

    def close(self) -> None:
        self._sock.close()

    def _push(self, seconds: float = math.inf) -> bool:
        """Send some of the request, or wait until some can be sent or something has come; False: neither, for so long.

        Raises `TimeoutError` where the exchange is over.
        """
        awaited = select.POLLIN
        try:
            if self._send_some():
                return True
            awaited |= select.POLLOUT
        except ssl.SSLWantReadError:
            pass
        if not self._unsent:
            return True
        poll = select.poll()
        poll.register(self._sock.fileno(), awaited)
        return bool(poll.poll(1000 * min(seconds, self.exchange.left())))

    def _send_some(self) -> bool:
        """Whether some of the request went out. It is given up where it cannot: the answer may have come before."""
        try:
            sent = self._sock.send_now(self._unsent[:SENT_AT_ONCE])
        except ssl.SSLWantReadError:
            raise
        except OSError:
            self.stop_sending()
            return False
        self._unsent = self._unsent[sent:]
        if not self._unsent and self.exchange.phase == Phase.SEND:
            self.exchange.phase = Phase.WAIT
        return sent > 0
