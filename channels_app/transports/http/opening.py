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
class Aim:
    """Of a URL, where to connect to and what to ask for there; `target` is the path with the query."""

    tls: bool
    host: str
    port: int
    target: str


@functools.lru_cache(maxsize=1024)
def aim_of(url: str) -> Aim:
    """Of a URL that has been checked."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Aim(tls, parts.hostname or "", parts.port or (443 if tls else 80), target)


def open_connection(aim: Aim, dialer: Dialer, proxy: EgressProxy | None, context: DeadlineContext) -> Connection:
    """A fresh connection for the exchange of `dialer`, up to where a request can be sent.

    Raises what dialers raise, `EgressProxyError` and `OSError`.
    """
    if proxy is None:
        sock = dialer.dial(aim.host, aim.port)
        return Connection(context.wrap_socket(sock, server_hostname=aim.host) if aim.tls else sock)
    to_proxy = _reach(proxy, dialer, context)
    if not aim.tls:
        return Connection(to_proxy)
    try:
        open_tunnel(to_proxy, proxy, aim.host, aim.port)
    except BaseException:
        to_proxy.close()
        raise
    inside: Socket
    if isinstance(to_proxy, DeadlineSSLSocket):
        inside = LayeredSocket(to_proxy, context, aim.host)
    else:
        inside = context.wrap_socket(to_proxy, server_hostname=aim.host)
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
