"""From a list of addresses to one connected socket (RFC 8305, "Happy Eyeballs")."""

import contextlib
import errno
import ipaddress
import math
import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest

from channels_app.transports.net.addresses import Address
from channels_app.transports.net.deadline import DeadlineSocket, Exchange

# How long an address may be silent before the next one is tried beside it (RFC 8305, section 8: 250 ms recommended).
STAGGER_SECONDS = 0.25
# So many are tried side by side. All eight would be as good for one exchange, but a name that leads to nowhere could
# then hold eight file descriptors for each exchange with it.
AT_ONCE = 2
# An address that cannot be reached from here says less than any other failure: a machine without IPv6 says so of all.
# (EINVAL is for a route that is a black hole, and for a link-local address without its link.)
_NO_WAY_FROM_HERE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL}
)


class ConnectedElsewhereError(Exception):
    """The connection leads to another address than the one asked for. The message is a sentence for people."""


def interleaved(addresses: Iterable[Address]) -> list[Address]:
    """The two families in turn, that of the first address first, each in its order (RFC 8305, section 4).

    Else all addresses of a family that does not work here come before the first of the other.
    """
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.version, []).append(address)
    in_turn = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in in_turn if address is not None]


def connect_to_any(exchange: Exchange, addresses: Iterable[Address], port: int, seconds: float) -> DeadlineSocket:
    """Connect to the first of `addresses` that answers, in this order; `exchange.address` says which.

    A refusal makes room for the next address at once, silence after `STAGGER_SECONDS`; a silent one is given up when
    its share of the time is over, so that every address gets one. Raises the `OSError` of the most telling address,
    or `ConnectedElsewhereError`.
    """
    with _Attempts(exchange, port, time.monotonic() + seconds) as attempts:
        waiting = deque(addresses)
        while waiting or attempts.open:
            now = time.monotonic()
            attempts.give_up(now)
            if now >= attempts.end:
                break
            has_room = bool(waiting) and len(attempts.open) < AT_ONCE
            if has_room and now >= attempts.next_at:
                rounds = math.ceil(len(waiting) / AT_ONCE)
                attempts.begin(waiting.popleft(), now, until=now + (attempts.end - now) / rounds)
            elif connected := attempts.wait(attempts.next_at if has_room else attempts.end):
                return connected
        raise attempts.failure


@dataclass(frozen=True)
class _Attempt:
    address: Address
    sock: DeadlineSocket
    until: float  # time.monotonic()


class _Attempts:
    """Connections that are being made. At the end of the block those that were not chosen are closed."""

    def __init__(self, exchange: Exchange, port: int, end: float) -> None:
        self._exchange = exchange
        self._port = port
        self._poll = select.poll()
        self._failure: OSError | None = None
        self.end = end
        self.next_at = 0.0
        self.open: dict[int, _Attempt] = {}  # by file descriptor

    def __enter__(self) -> "_Attempts":
        return self

    def __exit__(self, *_: object) -> None:
        for attempt in self.open.values():
            attempt.sock.close()

    @property
    def failure(self) -> OSError:
        return self._failure or TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def begin(self, address: Address, now: float, *, until: float) -> None:
        self.next_at = now + STAGGER_SECONDS
        if not self._failure:
            self._exchange.address = str(address)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        try:
            sock = DeadlineSocket(self._exchange, family)
        except OSError as error:  # a machine without this family
            self._failed(address, error)
            return
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect((str(address), self._port))
        except OSError as error:
            sock.close()
            self._failed(address, error)
        except BaseException:
            sock.close()
            raise
        else:
            self.open[sock.fileno()] = _Attempt(address, sock, until)
            self._poll.register(sock, select.POLLOUT)

    def give_up(self, now: float) -> None:
        """Close the attempts whose time is over."""
        for descriptor, attempt in list(self.open.items()):
            if now >= attempt.until:
                self._failed(attempt.address, TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
                self._close(descriptor)

    def wait(self, until: float) -> DeadlineSocket | None:
        """A connected socket, if there is one until then. What fails or is to be given up ends the waiting, too."""
        until = min([until, *(attempt.until for attempt in self.open.values())])
        for descriptor, _ in self._poll.poll(max(until - time.monotonic(), 0) * 1000):
            attempt = self.open[descriptor]
            try:
                self._check(attempt)
            except OSError as error:
                self._failed(attempt.address, error)
                self._close(descriptor)
                continue
            del self.open[descriptor]
            self._exchange.address = str(attempt.address)
            attempt.sock.settimeout(max(self.end - time.monotonic(), 0.001))
            return attempt.sock
        return None

    def _check(self, attempt: _Attempt) -> None:
        if code := attempt.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        try:
            leads_to = attempt.sock.getpeername()[0]
        except OSError as error:
            if error.errno == errno.ENOTCONN:  # it stood, and was reset since the line above
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error
            raise
        if ipaddress.ip_address(leads_to) != attempt.address:
            raise ConnectedElsewhereError(f"The connection to {attempt.address} leads to {leads_to}.")

    def _failed(self, address: Address, error: OSError) -> None:
        """Keep the most telling failure: the first of an address that can be reached from here, else the first.

        And let the next attempt begin at once.
        """
        self.next_at = 0.0
        if not self._failure or (self._failure.errno in _NO_WAY_FROM_HERE and error.errno not in _NO_WAY_FROM_HERE):
            self._failure = error
            self._exchange.address = str(address)

    def _close(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        self.open.pop(descriptor).sock.close()
