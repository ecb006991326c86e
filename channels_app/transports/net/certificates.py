"""Whom a certificate names that was refused because it is for somebody else.

A refused handshake shows nothing of the certificate, so it is made once more without asking for the name, and ended
before a byte of the request is sent. The authority that signed it must be a known one either way.
"""

from dataclasses import replace
from typing import cast

from channels_app.transports.net.deadline import Exchange
from channels_app.transports.net.dialing import AddressRefusedError, Dialer, NoConnectionError
from channels_app.transports.net.tls import tls_context

LONGEST_LOOK_SECONDS = 3.0
NAMED_AT_MOST = 3
LONGEST_NAME = 253


def named_instead(dialer: Dialer, host: str, port: int, bundle: str) -> str:
    """The names in the certificate that `host` shows, as part of a sentence; "" where that cannot be told in time."""
    try:
        exchange = Exchange(min(LONGEST_LOOK_SECONDS, dialer.exchange.left()))
        sock = replace(dialer, exchange=exchange).dial(host, port)
        with tls_context(bundle, any_name=True).wrap_socket(sock, server_hostname=host) as shaken:
            certificate = shaken.getpeercert() or {}
    except (AddressRefusedError, NoConnectionError, OSError, ValueError):
        return ""
    # Whoever made the certificate may have put anything into it.
    shown = cast(tuple[tuple[str, str], ...], certificate.get("subjectAltName", ()))
    names = [name for kind, name in shown if kind in {"DNS", "IP Address"} and _is_a_name(name)]
    if len(names) > NAMED_AT_MOST:
        names[NAMED_AT_MOST:] = [f"{len(names) - NAMED_AT_MOST} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _is_a_name(text: str) -> bool:
    return text.isprintable() and len(text) <= LONGEST_NAME
