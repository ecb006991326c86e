"""Making a connection to a receiver: straight, or by way of an egress proxy."""

import functools
from dataclasses import dataclass
from urllib.parse import urlsplit

from channels_app.transports.http.connection import Connection, Socket
from channels_app.transports.http.errors import EgressProxyError
from channels_app.transports.http.layered import LayeredSocket
from channels_app.transports.http.proxies import EgressProxy, open_tunnel
from channels_app.transports.net.deadline import DeadlineContext, DeadlineSocket, DeadlineSSLSocket
from channels_app.transports.net.dialing import Dialer
from channels_app.transports.net.faults import why_no_tls


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: the host to connect to, and the request target (RFC 9112), the path with the query."""

    tls: bool
    host: str
    port: int
    request_target: str


@functools.lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    """Take a URL apart that `check_url` has accepted."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    request_target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(tls, parts.hostname or "", parts.port or (443 if tls else 80), request_target)


def open_connection(target: Target, dialer: Dialer, proxy: EgressProxy | None, context: DeadlineContext) -> Connection:
    """A fresh connection for the exchange of `dialer`, up to where a request can be sent.

    Raises what dialers raise, `EgressProxyError` and `OSError`.
    """
    if proxy is None:
        sock = dialer.dial(target.host, target.port)
        return Connection(context.wrap_socket(sock, server_hostname=target.host) if target.tls else sock)
    to_proxy = _reach(proxy, dialer, context)
    if not target.tls:
        return Connection(to_proxy)
    try:
        open_tunnel(to_proxy, proxy, target.host, target.port)
    except BaseException:
        to_proxy.close()
        raise
    inside: Socket
    if isinstance(to_proxy, DeadlineSSLSocket):
        inside = LayeredSocket(to_proxy, context, target.host)
    else:
        inside = context.wrap_socket(to_proxy, server_hostname=target.host)
    return Connection(inside)


def _reach(proxy: EgressProxy, dialer: Dialer, context: DeadlineContext) -> DeadlineSocket | DeadlineSSLSocket:
    sock = dialer.dial(proxy.host, proxy.port)
    if not proxy.tls:
        return sock
    try:
        return context.wrap_socket(sock, server_hostname=proxy.host)
    except TimeoutError:
        raise
    except OSError as error:
        why = why_no_tls(error, dialer.exchange, proxy.host, proxy.port, where_plain=_WHERE_PLAIN)
        closed = f"{proxy.host} port {proxy.port} closed the connection during the TLS handshake."
        raise EgressProxyError(f"There is no TLS connection to the egress proxy. {why or closed}") from error


_WHERE_PLAIN = "EGRESS_PROXY_URL may have to begin with http://"
