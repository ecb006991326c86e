"""What went wrong, named for the log and said in a sentence for people.

`requests` and urllib3 wrap what happened in classes of their own, and not always the same (a time-out within a body
is a `ConnectionError`). So an outcome is decided by what our sockets saw, and only the sentence looks at the cause.
"""

import http.client
import ssl
from collections.abc import Iterator

from urllib3.exceptions import ProxyError

from channels_app.transports.adapter import HeadCutOffError
from channels_app.transports.base import Outcome
from channels_app.transports.deadline import MAX_HEAD_BYTES, Exchange, HeadTooLargeError
from channels_app.transports.dialing import AddressRefusedError, NoConnectionError

# Results of certificate verification (OpenSSL, x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _HOST_MISMATCH, _ADDRESS_MISMATCH = 9, 10, 62, 64
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})


def failure_before_status(error: BaseException, exchange: Exchange, host: str, port: int) -> tuple[Outcome, str]:
    """Outcome and sentence of an exchange that ended before a whole status line and headers had come."""
    if isinstance(error, AddressRefusedError):
        return Outcome.BLOCKED, str(error)
    if exchange.expired:
        return Outcome.TIMEOUT, over_time(exchange)
    if isinstance(error, NoConnectionError):
        return Outcome.CONNECTION_ERROR, str(error)
    causes = list(_causes(error))
    if exchange.received:
        return Outcome.PROTOCOL_ERROR, _why_no_head(causes)
    return Outcome.CONNECTION_ERROR, _why_no_answer(causes, host, port)


def body_was_cut_short(error: BaseException, exchange: Exchange) -> bool:
    """Whether the receiver closed or reset the connection within the body (and did not just send nonsense)."""
    return exchange.ended or any(isinstance(cause, ConnectionError) for cause in _causes(error))


def is_for_somebody_else(error: BaseException) -> bool:
    """Whether this failure is, or wraps, the refusal of a certificate for another name."""
    return any(
        isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in {_HOST_MISMATCH, _ADDRESS_MISMATCH}
        for cause in _causes(error)
    )


def is_no_answer(error: BaseException) -> bool:
    """Whether what came does not even begin like an answer (and is not just the end of the connection)."""
    return any(type(cause) is http.client.BadStatusLine for cause in _causes(error))


def over_time(exchange: Exchange, doing: str = "") -> str:
    """`doing` names the phase where the exchange's own words for it do not fit."""
    return f"The {exchange.timeout:g} s for one attempt were over while {doing or exchange.phase}."


def why_no_tls(error: BaseException, host: str, port: int, *, where_plain: str) -> str:
    """Why TLS was not agreed on; "" where this failure is not, and does not wrap, one of TLS.

    `where_plain` says what to do where the server does not speak TLS at all.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _why_certificate_refused(cause, host)
        if isinstance(cause, ssl.SSLError) and cause.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
            return f"{host} port {port} does not speak TLS; {where_plain}."
        if isinstance(cause, ssl.SSLEOFError):
            return f"{host} port {port} closed the connection during the TLS handshake."
        if isinstance(cause, ssl.SSLError):
            return f"No TLS connection to {host} port {port}: {(cause.reason or 'failed').replace('_', ' ').lower()}."
    return ""


def _why_no_head(causes: list[BaseException]) -> str:
    if any(isinstance(cause, HeadTooLargeError) for cause in causes):
        return f"The headers of the answer are larger than {MAX_HEAD_BYTES // 1024} KiB."
    if any(isinstance(cause, HeadCutOffError | ConnectionError) for cause in causes):
        return "The answer broke off before its headers were complete."
    return "The answer is not valid HTTP."


def _why_no_answer(causes: list[BaseException], host: str, port: int) -> str:
    for cause in causes:
        if isinstance(cause, ProxyError):
            return f"The egress proxy did not open a connection to {host}: {causes[-1]}."
    if sentence := why_no_tls(causes[0], host, port, where_plain="the URL may have to begin with http://"):
        return sentence
    return f"{host} port {port} closed the connection before it answered."


def _why_certificate_refused(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in {_HOST_MISMATCH, _ADDRESS_MISMATCH}:
        return f"The certificate is not valid for {host}."
    if error.verify_code == _EXPIRED:
        return f"The certificate of {host} has expired."
    if error.verify_code == _NOT_YET_VALID:
        return f"The certificate of {host} is not valid yet."
    if error.verify_code in _UNKNOWN_ISSUER:
        return (
            f"The certificate of {host} is not signed by a known authority; "
            "an operator can add one with EXTRA_CA_BUNDLE."
        )
    return f"The certificate of {host} was refused: {error.verify_message}."


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what lies beneath it, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
