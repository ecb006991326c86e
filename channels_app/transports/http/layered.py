"""TLS to a receiver inside the TLS to an egress proxy."""

import ssl
from contextlib import suppress

from channels_app.transports.net.deadline import (
    DeadlineContext,
    DeadlineSSLSocket,
    Exchange,
    Phase,
    note_failed_handshake,
)

_RECORD = 16 * 1024


class Carrier(Exchange):
    """The exchange of the outer connection: its deadline alone. What passes there is no part of the answer."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange.timeout)
        self._exchange = exchange
        self.address = exchange.address

    def left(self) -> float:
        return self._exchange.left()

    def count(self, size: int) -> None:
        """Nothing."""


class LayeredSocket:
    """Like a `DeadlineSSLSocket`, but over one instead of over TCP."""

    def __init__(self, outer: DeadlineSSLSocket, context: DeadlineContext, server_hostname: str) -> None:
        """Shakes hands within the deadline of the exchange of `outer`. Raises `OSError`; `outer` is closed then."""
        self._outer = outer
        self._exchange = outer.exchange
        outer.exchange = Carrier(self._exchange)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._held = b""  # encrypted, and not sent yet
        self._taken = 0  # bytes of a request that are in there
        try:
            with self._exchange.timed(Phase.TLS):
                self._shake_hands()
        except (OSError, ValueError):
            note_failed_handshake(self._exchange, self._inner)
            with suppress(OSError):
                self._flush()  # why not, in TLS's own words
            self.close()
            raise

    @property
    def exchange(self) -> Exchange:
        return self._exchange

    @exchange.setter
    def exchange(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._outer.exchange = Carrier(exchange)

    def send_now(self, data: bytes | memoryview) -> int:
        """As of a `DeadlineSSLSocket`. Has to be called again with the same bytes where it has sent none of them."""
        if not self._held:
            self._taken = self._inner.write(data[:_RECORD])
            self._held = self._outgoing.read()
        sent = self._outer.send_now(self._held)
        self._held = self._held[sent:]
        return 0 if self._held else self._taken

    def receive_now(self, size: int) -> bytes | None:
        while True:
            try:
                data = self._read(size)
            except ssl.SSLWantReadError:
                came = self._outer.receive_now(_RECORD)
                if came is None:
                    return None
                self._take(came)
            else:
                self._exchange.count(len(data))
                return data

    def recv(self, size: int, /) -> bytes:
        while True:
            try:
                data = self._read(size)
            except ssl.SSLWantReadError:
                self._take(self._receive())
            else:
                self._exchange.count(len(data))
                return data

    def is_quiet(self) -> bool:
        try:
            return self.receive_now(1) is None
        except OSError:
            return False

    def fileno(self) -> int:
        return self._outer.fileno()

    def close(self) -> None:
        self._outer.close()

    def _shake_hands(self) -> None:
        while True:
            try:
                self._inner.do_handshake()
            except ssl.SSLWantReadError:
                self._take(self._receive())
            else:
                self._flush()
                return

    def _receive(self) -> bytes:
        self._flush()
        return self._outer.recv(_RECORD)

    def _flush(self) -> None:
        """Send what TLS itself has to say."""
        if self._outgoing.pending:
            self._outer.sendall(self._outgoing.read())

    def _take(self, came: bytes) -> None:
        if came:
            self._incoming.write(came)
        else:
            self._incoming.write_eof()

    def _read(self, size: int) -> bytes:
        try:
            return self._inner.read(size)
        except ssl.SSLEOFError:  # closed without a word of TLS, as many do
            return b""
