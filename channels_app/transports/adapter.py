"""`requests` and urllib3 taught to use our sockets: each thread sends one exchange at a time over a shared pool.

Only documented points of extension are used, but for four names: `_new_conn` of urllib3's connections, `_get_conn` and
`_put_conn` of its pools, and `_read_status` of the standard library's answer. The tests of `tests/transports` fail if
one of them moves.
"""

import functools
import http.client
import logging
import socket
import ssl
import threading
import time
from http import HTTPStatus
from typing import Any

import certifi
import urllib3
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from channels_app.transports.deadline import DeadlineContext, Exchange, Phase
from channels_app.transports.dialing import Dialer

# Its warnings and debug lines carry whole URLs, and URLs carry tokens.
logging.getLogger("urllib3").setLevel(logging.ERROR)


# A receiver is told of nothing before a connection is reused, and may close it at any moment: Node.js after 5 s. So an
# idle one is not used after 4 s, and none for longer than a minute, so that a name may come to mean another address.
IDLE_SECONDS = 4.0
LONGEST_USE_SECONDS = 60.0
# Of how many receivers connections are kept, and how many of each: 256 sockets at most.
KEPT_RECEIVERS = 32
KEPT_CONNECTIONS = 8
# Whoever sends a body with one of these all the same would begin the next answer with it: not kept after them.
_WITHOUT_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED}


class _Present(threading.local):
    """What the exchange that this thread is at means to use."""

    dialer: Dialer
    fresh: bool = False


_present = _Present()


class HeadCutOffError(http.client.HTTPException):
    """The receiver closed the connection within the status line or the headers."""


class _Answer(http.client.HTTPResponse):
    """An answer whose head is bounded and must be whole; all interim answers (RFC 9110, 15.2) are skipped.

    The standard library skips 100 only, takes 103 for the final answer, and a connection closed within the headers
    for their end.
    """

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._exchange: Exchange = _exchange_of(sock)

    def _read_status(self) -> tuple[str, int, str]:
        while self._exchange.reused and self.fp.peek(1)[:1] in {b"\r", b"\n"}:
            self.fp.readline()  # what the receiver has sent beyond its last answer, a moment late
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in typeshed
            if status >= 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
            self._exchange.begin_head()

    def begin(self) -> None:
        super().begin()
        if self._exchange.ended:
            raise HeadCutOffError("The connection was closed within the headers.")
        if self.status < HTTPStatus.OK or self.status in _WITHOUT_BODY:
            self.will_close = True
        self._exchange.begin_body()


class _DeadlineConnection(HTTPConnection):
    """A connection that works for one exchange after the other, and sends a request in one piece."""

    response_class = _Answer
    exchange: Exchange
    opened_at = 0.0
    idle_since = 0.0
    # The head of a request, held until its body comes; None: nothing is held.
    _head: bytes | None = None

    def _new_conn(self) -> socket.socket:
        self.exchange = _present.dialer.exchange
        self.opened_at = time.monotonic()
        return _present.dialer.dial(self._dns_host, self.port or self.default_port)

    def connect(self) -> None:
        super().connect()
        self.exchange.connected()

    def request(self, *args: Any, **options: Any) -> None:
        exchange = _present.dialer.exchange
        if self.sock is not None and self.exchange is not exchange:
            exchange.address, exchange.reused = self.exchange.address, True
            self.exchange = _socket_of(self.sock).exchange = exchange
            exchange.connected()
        self._head = b""
        super().request(*args, **options)
        if self._head:  # no body came
            head, self._head = self._head, None
            super().send(head)

    def send(self, data: Any) -> None:
        if self._head == b"":
            self._head = data
            return
        if self._head:
            data, self._head = self._head + data, None
        super().send(data)

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        self.exchange.phase = Phase.WAIT
        return super().getresponse()

    def worn_out(self) -> bool:
        now = time.monotonic()
        return now - self.idle_since > IDLE_SECONDS or now - self.opened_at > LONGEST_USE_SECONDS


class _DeadlineTLSConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _DeadlinePool(HTTPConnectionPool):
    """Connections to one receiver that wait for their next exchange."""

    ConnectionCls = _DeadlineConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        if _present.fresh:
            return self._new_conn()
        connection: Any = super()._get_conn(timeout)
        if connection.sock is not None and (connection.worn_out() or _has_more_to_read(connection.sock)):
            connection.close()  # it opens again when it is used
        return connection

    def _put_conn(self, connection: Any) -> None:
        if connection is not None:
            connection.idle_since = time.monotonic()
        super()._put_conn(connection)


class _DeadlineTLSPool(_DeadlinePool, HTTPSConnectionPool):
    ConnectionCls = _DeadlineTLSConnection


_POOLS = {"http": _DeadlinePool, "https": _DeadlineTLSPool}


class DeadlineAdapter(HTTPAdapter):
    """Sends requests over connections that dialers open, and keeps those for the next ones. No retries. Thread-safe.

    `bundle` is the path of a file of certificate authorities trusted beside the public ones, or empty.
    """

    def __init__(self, bundle: str = "") -> None:
        self._context = tls_context(bundle)
        super().__init__(pool_connections=KEPT_RECEIVERS, pool_maxsize=KEPT_CONNECTIONS, max_retries=0)

    def exchange(self, request: PreparedRequest, dialer: Dialer, *, proxy: str = "", fresh: bool = False) -> Response:
        """Send one request for the exchange of `dialer`; the body of the answer is still to be read.

        `proxy` is the URL of one to go through. A `fresh` exchange opens a connection of its own. Raises what
        `requests`, urllib3 and the dialer raise.
        """
        _present.dialer, _present.fresh = dialer, fresh
        return self.send(request, stream=True, proxies={"http": proxy, "https": proxy} if proxy else None)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(
            proxy, ssl_context=self._context, proxy_ssl_context=self._context, **options
        )
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # Our context knows its authorities; the inherited method would load them into it again for each request.
        conn.cert_reqs = "CERT_REQUIRED"


@functools.lru_cache(maxsize=4)
def tls_context(bundle: str, *, any_name: bool = False, http: bool = True) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name verified. Shared by all threads.

    With `any_name` the certificate may be for anybody: to look at it, never to send anything. Without `http` no
    protocol is named (ALPN): a mail server may refuse one that is not its own.
    """
    context = DeadlineContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = not any_name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    if http:
        context.offer_http_1_1()
    context.load_verify_locations(certifi.where())
    if bundle:
        context.load_verify_locations(bundle)
    return context


def _exchange_of(sock: Any) -> Exchange:
    exchange: Exchange = _socket_of(sock).exchange
    return exchange


def _has_more_to_read(sock: Any) -> bool:
    """Whether something lies ready inside TLS, where urllib3 does not look: more than the last answer."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _socket_of(sock: Any) -> Any:
    """The socket that knows its exchange, also where urllib3 speaks TLS to a receiver inside TLS to a proxy."""
    return sock if hasattr(sock, "exchange") else sock.socket
