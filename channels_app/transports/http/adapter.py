"""The adapter for `requests`: it takes a prepared request and returns a response."""

from collections.abc import Hashable, Mapping
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from channels_app.transports.http.connection import Connection
from channels_app.transports.http.errors import AnswerError
from channels_app.transports.http.head import Head
from channels_app.transports.http.opening import Target, open_connection, target_of
from channels_app.transports.http.pool import Pool
from channels_app.transports.http.proxies import EgressProxy, check_whose, egress_proxy
from channels_app.transports.http.reading import AnswerReader
from channels_app.transports.net.deadline import DeadlineContext
from channels_app.transports.net.dialing import Dialer

MAX_BODY_BYTES = 64 * 1024


class ExchangeAdapter(BaseAdapter):
    """Sends the requests of one channel, each for the exchange of `dialer`, over connections of `pool`. No retries.

    `context` is the TLS to speak. With `fresh` no kept connection is used.
    """

    def __init__(
        self, pool: Pool, dialer: Dialer, context: DeadlineContext, *, channel: str = "", fresh: bool = False
    ) -> None:
        super().__init__()
        self._pool = pool
        self._dialer = dialer
        self._context = context
        self._channel = channel
        self._fresh = fresh

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request whose body is bytes; the body of the answer is still to be read.

        `proxies` are URLs by scheme. Time limits are those of the exchange, certificates are always verified: what
        else the arguments say of that is passed over. Raises what dialers raise, `AnswerError`, `HeadTooLargeError`,
        `EgressProxyError` and `OSError`, and `ValueError` for a request that cannot be sent and an unusable proxy.
        """
        target = target_of(request.url or "")
        url = (proxies or {}).get("https" if target.tls else "http")
        proxy = egress_proxy(url) if url else None
        sent = _as_bytes(request, target, proxy)
        key = (self._channel, target.tls, target.host, target.port, proxy, self._context)
        connection = None if self._fresh else self._pool.take(key)
        if connection is None:
            connection = open_connection(target, self._dialer, proxy, self._context)
        else:
            connection.serve(self._dialer.exchange)
        raw = RawAnswer(connection, self._pool, key)
        try:
            connection.send(sent)
            head = raw.read_head()
            if proxy is not None and not target.tls:
                check_whose(head, target.host)
        except BaseException:
            connection.close()
            raise
        response = Response()
        response.status_code, response.reason, response.headers = head.status, head.reason, head.headers
        response.url, response.request, response.raw = request.url or "", request, raw
        return response

    def close(self) -> None:
        """Nothing: the connections are those of the pool."""


class RawAnswer:
    """The bytes of an answer's body, undecoded. The caller closes it once it has read enough."""

    def __init__(self, connection: Connection, pool: Pool, key: Hashable) -> None:
        self._connection = connection
        self._is_closed = False
        self._pool = pool
        self._key = key
        self._reader = AnswerReader()
        self._content = bytearray()  # received, and not read yet
        self._fault: Exception | None = None  # what is wrong after that

    def read_head(self) -> Head:
        while self._reader.head is None:
            self._receive()
        head = self._reader.head
        if not 200 <= head.status < 300:
            self._connection.stop_sending()
        return head

    def read1(self, size: int) -> bytes:
        """At most so many bytes, as soon as there are any; b"" at the end, which closes it, and once it is closed.

        Raises `AnswerError` and `OSError`.
        """
        while not self._content:
            if self._reader.complete or self._fault is not None:
                self.close()
            if self._fault is not None:
                raise self._fault
            if self._is_closed:
                return b""
            self._receive()
        piece = bytes(self._content[:size])
        del self._content[:size]
        return piece

    def read(self, size: int = -1, *_: Any, **__: Any) -> bytes:
        """So many bytes, or all of them where there are fewer, or where `size` is negative."""
        pieces = bytearray()
        while size < 0 or len(pieces) < size:
            piece = self.read1(size - len(pieces) if size >= 0 else MAX_BODY_BYTES)
            if not piece:
                break
            pieces += piece
        return bytes(pieces)

    def close(self) -> None:
        """Keep the connection where another exchange may follow, close it otherwise."""
        if self._is_closed:
            return
        self._is_closed = True
        connection = self._connection
        head = self._reader.head
        if self._reader.complete and head is not None and 200 <= head.status < 300:
            connection.send_rest()
        if self._reader.may_be_followed and not self._content and connection.may_go_on():
            self._pool.put(self._key, connection)
        else:
            connection.close()
        self._content.clear()

    release_conn = close

    def _receive(self) -> None:
        data = self._connection.receive()
        try:
            if data:
                self._reader.feed(data, self._content)
            else:
                self._reader.end()
        except AnswerError as error:
            if self._reader.head is None:
                raise
            self._fault = error  # once what came before it has been read


def read_body(response: Response, into: bytearray) -> None:
    """Read at most 64 KiB of the body as it came over the wire, undecoded, into `into`.

    Raises `AnswerError` and `OSError` when the body breaks off or is not HTTP; what came before that is kept.
    """
    while len(into) < MAX_BODY_BYTES:
        piece = response.raw.read1(MAX_BODY_BYTES - len(into))
        if not piece:
            return
        into += piece


def _as_bytes(request: PreparedRequest, target: Target, proxy: EgressProxy | None) -> bytes:
    """The request as it goes over the wire. Raises `ValueError` for one that cannot."""
    body = request.body or b""
    if not isinstance(body, bytes):
        raise ValueError("The body of the request is not bytes.")
    lines = [f"{request.method} {target.request_target} HTTP/1.1"]
    if proxy is not None and not target.tls:
        lines = [f"{request.method} {request.url} HTTP/1.1"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    head = "\r\n".join(lines)
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1:
        raise ValueError("The request has a line break within a header.")
    return f"{head}\r\n\r\n".encode("latin-1") + body
