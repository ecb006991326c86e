"""Status codes as outcome and sentence."""

from http import HTTPStatus

from channels_app.transports.base import Outcome

_KNOWN = frozenset(HTTPStatus)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ODD = {
    101: "which nobody has asked for",
    300: "which leaves a choice that Tidings cannot make",
    304: "which is no answer to a POST: nothing is asked that may have been modified",
    305: "which is not followed",
}


def outcome_of(status: int) -> tuple[Outcome, str]:
    """Outcome and sentence of a whole answer."""
    if 200 <= status < 300:
        return Outcome.SUCCEEDED, ""
    if status == HTTPStatus.GONE:
        return Outcome.GONE, "The receiver answered 410 Gone: it wants no more messages."
    if status in _REDIRECTS:
        return Outcome.HTTP_ERROR, f"The receiver answered {named(status)}; redirects are not followed."
    if status in _ODD:
        return Outcome.HTTP_ERROR, f"The receiver answered {named(status)}, {_ODD[status]}."
    return Outcome.HTTP_ERROR, f"The receiver answered {named(status)}."


def named(status: int) -> str:
    """`404 Not Found`: the standard's phrase, since the receiver's own may be anything."""
    return f"{status} {HTTPStatus(status).phrase}" if status in _KNOWN else str(status)
