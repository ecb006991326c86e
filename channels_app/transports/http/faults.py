"""Failures of an exchange, as outcome and sentence.

The outcome is decided by what our sockets saw, and only the sentence looks at the error.
"""

from channels_app.transports.base import Outcome
from channels_app.transports.http.errors import (
    AnswerError,
    BodyCutOffError,
    EgressProxyError,
    HeadCutOffError,
    NoAnswerError,
)
from channels_app.transports.http.statuses import named
from channels_app.transports.net.deadline import MAX_HEAD_BYTES, Exchange, HeadTooLargeError
from channels_app.transports.net.dialing import AddressRefusedError, NoConnectionError
from channels_app.transports.net.faults import over_time, why_no_tls

# Whatever else is raised while a request is sent and its answer read is a fault of ours.
FAILURES = (
    AddressRefusedError,
    NoConnectionError,
    EgressProxyError,
    AnswerError,
    HeadTooLargeError,
    OSError,
)


def of_failure(error: Exception, exchange: Exchange, host: str, port: int, *, plain_proxy: bool) -> tuple[Outcome, str]:
    """Judge an exchange that ended before a whole status line and headers had come.

    `plain_proxy`: an egress proxy passes the request on, so the connection was to it and not to the receiver.
    """
    if isinstance(error, AddressRefusedError):
        return Outcome.BLOCKED, str(error)
    if exchange.expired:
        return Outcome.TIMEOUT, over_time(exchange)
    if isinstance(error, NoConnectionError | EgressProxyError):
        return Outcome.CONNECTION_ERROR, str(error)
    if exchange.received:
        return Outcome.PROTOCOL_ERROR, _why_no_head(error)
    if plain_proxy:
        return Outcome.CONNECTION_ERROR, f"The egress proxy closed the connection before an answer of {host} came."
    sentence = why_no_tls(error, exchange, host, port, where_plain="the URL may have to begin with http://")
    return Outcome.CONNECTION_ERROR, sentence or f"{host} port {port} closed the connection before it answered."


def of_broken_body(error: Exception, exchange: Exchange, status: int) -> tuple[Outcome, str]:
    """Judge an answer of this status whose body was not whole."""
    if exchange.expired:
        return Outcome.TIMEOUT, over_time(exchange)
    cut_short = isinstance(error, BodyCutOffError | OSError)
    if cut_short and 200 <= status < 300:
        return Outcome.SUCCEEDED, ""  # The receiver has said yes; what else it meant to say does not matter.
    fault = "broke off within its body" if cut_short else "is not valid HTTP"
    return Outcome.PROTOCOL_ERROR, f"The answer ({named(status)}) {fault}."


def is_no_answer(error: Exception) -> bool:
    """Whether what came does not even begin like an answer (and is not just the end of the connection)."""
    return isinstance(error, NoAnswerError)


def _why_no_head(error: Exception) -> str:
    if isinstance(error, HeadTooLargeError):
        return f"The headers of the answer are larger than {MAX_HEAD_BYTES // 1024} KiB."
    if isinstance(error, HeadCutOffError | OSError):
        return "The answer broke off before its headers were complete."
    return "The answer is not valid HTTP."
