"""Our TLS: what is trusted, and what is spoken."""

import functools
import ssl
import threading

import certifi

from channels_app.transports.net.deadline import DeadlineContext

_one_at_a_time = threading.Lock()


def tls_context(bundle: str, *, any_name: bool = False, http: bool = True) -> DeadlineContext:
    """TLS 1.2 or newer, certificate and host name verified. Shared by all threads.

    `bundle` is the path of a file of certificate authorities trusted beside the public ones, or empty. With `any_name`
    the certificate may be for anybody: to look at it, never to send anything. Without `http` no protocol is named
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
