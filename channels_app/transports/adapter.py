"""`requests` and urllib3 taught to use our sockets: one adapter for one exchange.

Only documented points of extension are used, but for two names: `_new_conn` of urllib3's pools and connections, and
`_read_status` of the standard library's answer. The tests of `tests/transports` fail if either moves.
"""

import functools
import http.client
import logging
import socket
import ssl
from typing import Any

import certifi
import urllib3
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from channels_app.transports.deadline import DeadlineContext, Exchange, Phase
from channels_app.transports.dialing import Dialer

# Its warnings and debug lines carry whole URLs, and URLs carry tokens.
logging.getLogger("urllib3").setLevel(logging.ERROR)


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
        self._exchange.begin_body()


class _DeadlineConnection(HTTPConnection):
    dialer: Dialer
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return self.dialer.dial(self._dns_host, self.port or self.default_port)

    def connect(self) -> None:
        super().connect()
        self.dialer.exchange.connected()

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        self.dialer.exchange.phase = Phase.WAIT
        return super().getresponse()


class _DeadlineTLSConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _DeadlinePool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection
    dialer: Dialer

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.dialer = self.dialer
        return connection


class _DeadlineTLSPool(_DeadlinePool, HTTPSConnectionPool):
    ConnectionCls = _DeadlineTLSConnection


_POOLS = {"http": _DeadlinePool, "https": _DeadlineTLSPool}


class DeadlineAdapter(HTTPAdapter):
    """Sends one request over a connection of its own, opened by `dialer`. No retries.

    `bundle` is the path of a file of certificate authorities trusted beside the public ones, or empty.
    """

    def __init__(self, dialer: Dialer, bundle: str = "") -> None:
        self._dialer = dialer
        self._context = tls_context(bundle)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(
            proxy, ssl_context=self._context, proxy_ssl_context=self._context, **options
        )
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def get_connection_with_tls_context(self, request: PreparedRequest, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, *args, **options)
        pool.dialer = self._dialer
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # Our context knows its authorities; the inherited method would load them into it again for each request.
        conn.cert_reqs = "CERT_REQUIRED"


@functools.lru_cache(maxsize=4)
def tls_context(bundle: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name verified. Shared by all threads."""
    context = DeadlineContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.offer_http_1_1()
    context.load_verify_locations(certifi.where())
    if bundle:
        context.load_verify_locations(bundle)
    return context


def _exchange_of(sock: Any) -> Exchange:
    """The exchange of a socket, also where urllib3 speaks TLS to a receiver inside TLS to a proxy."""
    exchange: Exchange = getattr(sock, "exchange", None) or sock.socket.exchange
    return exchange
