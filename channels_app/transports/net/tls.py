"""TLS of outgoing connections: what is trusted and spoken, and whom a refused certificate names instead.

A refused handshake shows nothing of the certificate, so it is made once more without asking for the name, and ended
before a byte of the request is sent. The authority that signed it must be a known one either way.
"""

import functools
import ssl
import threading
from dataclasses import replace
from typing import cast

import certifi

from channels_app.transports.net.deadline import DeadlineContext, Exchange
from channels_app.transports.net.dialing import AddressRefusedError, Dialer, NoConnectionError

LONGEST_LOOK_SECONDS = 3.0
NAMED_AT_MOST = 3
LONGEST_NAME = 253
_one_at_a_time = threading.Lock()


def tls_context(bundle: str, *, any_name: bool = False, http: bool = True) -> DeadlineContext:
    """TLS 1.2 or newer, certificate and host name verified. Shared by all threads.

    `bundle` is the path of a file of certificate authorities trusted beside the public ones, or empty. With `any_name`
    the certificate may be for any name: to look at it, never to send anything. Without `http` no protocol is named
    (ALPN): a mail server may refuse one that is not its own.
    """
    with _one_at_a_time:  # connections are kept by context: threads that begin together are to have the same
        return _make(bundle, any_name, http)


@functools.lru_cache(maxsize=4)
def _make(bundle: str, any_name: bool, http: bool) -> DeadlineContext:
    context = DeadlineContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = not any_name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    if http:
        context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(certifi.where())
    if bundle:
        context.load_verify_locations(bundle)
    return context


def named_instead(dialer: Dialer, host: str, port: int, bundle: str) -> str:
    """The names in the certificate that `host` shows, as part of a sentence; "" where they are not seen in time."""
    try:
        exchange = Exchange(min(LONGEST_LOOK_SECONDS, dialer.exchange.left()))
        sock = replace(dialer, exchange=exchange).dial(host, port)
        with tls_context(bundle, any_name=True).wrap_socket(sock, server_hostname=host) as shaken:
            certificate = shaken.getpeercert() or {}
    except (AddressRefusedError, NoConnectionError, OSError, ValueError):
        return ""
    # The certificate may hold any text.
    shown = cast(tuple[tuple[str, str], ...], certificate.get("subjectAltName", ()))
    names = [name for kind, name in shown if kind in {"DNS", "IP Address"} and _is_a_name(name)]
    if len(names) > NAMED_AT_MOST:
        names[NAMED_AT_MOST:] = [f"{len(names) - NAMED_AT_MOST} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _is_a_name(text: str) -> bool:
    return text.isprintable() and len(text) <= LONGEST_NAME
