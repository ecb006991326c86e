"""The way through an egress proxy, and which answers are its own and not a receiver's.

A tunnel (CONNECT) is simple: until it stands, all that comes is the proxy's. A plain request that the proxy passes on
has one answer, and whose it is can be known only as far as proxies say so. **The rule:** the proxy's own is

- any 407 (RFC 9110, section 15.5.8: only a proxy asks for credentials for itself) and 511 (RFC 6585, section 6: a
  network that requires a login first), and
- any other 4xx or 5xx with a header that only a proxy sets on answers of its own: `Proxy-Authenticate`, `Proxy-Agent`,
  `X-Squid-Error`, `X-Smokescreen-Error`, `Server` with the name of a program that is a forward proxy (on what it passes
  on, that is the receiver's), or `Proxy-Status` (RFC 9209) whose last member, which is that of the intermediary next to
  us, names an `error`.

Everything else is the receiver's. `Via` and `X-Cache` prove nothing: a proxy sets them on what it passes on as well.
"""

import base64
import functools
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from channels_app.text import cut, printable_line
from channels_app.transports.http.errors import AnswerError, EgressProxyError, NotHTTPError
from channels_app.transports.http.head import Head
from channels_app.transports.http.reading import AnswerReader
from channels_app.transports.http.statuses import named
from channels_app.transports.net.deadline import DeadlineSocket, DeadlineSSLSocket, HeadTooLargeError, Phase

LONGEST_DETAIL = 100
_CREDENTIALS_WANTED = 407
_OF_PROXIES_ALONE = frozenset({_CREDENTIALS_WANTED, 511})
_SIGNS = ("X-Squid-Error", "X-Smokescreen-Error", "Proxy-Authenticate", "Proxy-Agent")
_PROGRAMS = ("squid", "tinyproxy", "privoxy", "mitmproxy", "zscaler")
# Of these, the value says what is wrong.
_DETAILS = ("X-Squid-Error", "X-Smokescreen-Error", "Proxy-Status")


@dataclass(frozen=True)
class EgressProxy:
    """`authorization` is the value of `Proxy-Authorization`, or ""."""

    host: str
    port: int
    tls: bool
    authorization: str = field(default="", repr=False)


@functools.lru_cache(maxsize=16)
def egress_proxy(url: str) -> EgressProxy:
    """The proxy at `url` (`http://user:password@host:3128`). Raises `ValueError` for one that cannot be used.

    User name and password are written in percent-encoding where need be. The message does not show them.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The cause would show what stands where the port should be.
        raise ValueError("It has no usable host and port.") from None
    if parts.scheme not in {"http", "https"}:
        # The sockets of a SOCKS client would not be ours, and know neither deadline nor limits.
        raise ValueError("It must begin with http:// or https://.")
    if not parts.hostname or port == 0:
        raise ValueError("It has no usable host and port.")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    tls = parts.scheme == "https"
    return EgressProxy(parts.hostname, port or (443 if tls else 80), tls, authorization)


def open_tunnel(sock: DeadlineSocket | DeadlineSSLSocket, proxy: EgressProxy, host: str, port: int) -> None:
    """Have the proxy at the other end of `sock` connect to `host`. Raises `EgressProxyError` and `TimeoutError`."""
    aim = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {aim} HTTP/1.1", f"Host: {aim}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    sock.exchange.phase = Phase.TUNNEL
    reader = AnswerReader()
    try:
        sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        while reader.head is None:
            data = sock.recv(64 * 1024)
            if data:
                # The body of a refusal is of no interest, and after a consent it is for us to speak.
                reader.feed(data, bytearray())
            else:
                reader.end()
    except TimeoutError:
        raise
    except (NotHTTPError, HeadTooLargeError) as error:
        raise EgressProxyError(
            f"The egress proxy did not open a connection to {host}: its answer is not valid HTTP."
        ) from error
    except (AnswerError, OSError) as error:
        raise EgressProxyError(f"The egress proxy closed the connection before it had opened one to {host}.") from error
    if not 200 <= reader.head.status < 300:
        raise EgressProxyError(
            f"The egress proxy did not open a connection to {host}: it answered {_in_words(reader.head)}."
        )


def check_whose(head: Head, host: str) -> None:
    """Raises `EgressProxyError` for an answer to a plain request through a proxy that is the proxy's own refusal."""
    if head.status >= 400 and (head.status in _OF_PROXIES_ALONE or _has_sign_of_a_proxy(head)):
        raise EgressProxyError(
            f"The egress proxy did not pass the request on to {host}: it answered {_in_words(head)}."
        )


def _has_sign_of_a_proxy(head: Head) -> bool:
    last = head.headers.get("Proxy-Status", "").rpartition(",")[2]
    parameters = {parameter.partition("=")[0].strip().lower() for parameter in last.split(";")[1:]}
    program = head.headers.get("Server", "").lower()
    return "error" in parameters or program.startswith(_PROGRAMS) or any(sign in head.headers for sign in _SIGNS)


def _in_words(head: Head) -> str:
    """The proxy's status with the reason that it gives; credentials are for an operator to mend."""
    detail = next(
        (cut(printable_line(head.headers[name]), LONGEST_DETAIL) for name in _DETAILS if head.headers.get(name)), ""
    )
    answer = f"{named(head.status)} ({detail.rstrip('.')})" if detail else named(head.status)
    return f"{answer}; an operator must mend EGRESS_PROXY_URL" if head.status == _CREDENTIALS_WANTED else answer
