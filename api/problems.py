"""Every refusal under the API as `application/problem+json` (RFC 9457), wherever it arises.

`Problem` is raised by the API's own parts, `api.handlers` translates what the rooms raise, and
`ProblemMiddleware` rewrites what Django answers by itself: unknown paths, wrong methods, a bad host, our own bugs.
The `type` of every problem is `about:blank`: the status says it all, and `title` is its phrase.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.errors import HttpError

from api.field_errors import MAX_MESSAGE_LENGTH, FieldError, bounded
from channels_app.text import cut
from orders.text import is_clean

PREFIX = "/api/v1"
CONTENT_TYPE = "application/problem+json"
MAX_BODY_BYTES = 256 * 1024
# Of the answer to a bad body; what is around the errors in it takes some hundred bytes.
MAX_ERRORS_BYTES = 60 * 1024
METHODS_WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})

# The phrases of RFC 9110 where Python's depend on its version.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
DETAILS = {
    400: "The request cannot be read.",
    403: "This is not allowed.",
    404: "There is nothing here.",
    405: "This path does not take the method {method}.",
    422: "Some of the request cannot be accepted: see errors.",
    500: "Something went wrong on our side. It has been recorded.",
    503: "This took too long and was stopped. Try again in a moment.",
}


class Problem(HttpError):
    """A refusal: the status, a sentence for the caller, and where they apply field errors and headers.

    Keeps no more errors than an answer lists, however many are given: see `api.field_errors.bounded`.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.errors = bounded(errors)
        self.headers = headers or {}

    @classmethod
    def of_fields(cls, errors: Iterable[FieldError]) -> "Problem":
        """A 422 that says what is wrong where."""
        return cls(422, DETAILS[422], errors=errors)

    def response(self) -> HttpResponse:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": phrase(self.status_code),
            "status": self.status_code,
            "detail": cut(self.message, MAX_MESSAGE_LENGTH),
        }
        if self.errors:
            body["errors"] = _as_many_as_fit(self.errors)
        content = json.dumps(body).encode()
        return HttpResponse(
            content,
            status=self.status_code,
            reason=phrase(self.status_code),
            headers={**self.headers, "Content-Type": CONTENT_TYPE, "Content-Length": str(len(content))},
        )


def _as_many_as_fit(errors: Iterable[FieldError]) -> list[dict[str, str]]:
    told, room = [], MAX_ERRORS_BYTES
    for error in errors:
        entry = {"field": error.field, "message": error.message}
        room -= len(json.dumps(entry)) + len(", ")
        if room < 0:
            break
        told.append(entry)
    return told


def phrase(status: int) -> str:
    """The reason phrase of a status code; "Error" for an unknown one."""
    try:
        return _PHRASES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class ProblemMiddleware:
    """Stands outermost. Under `/api/v1/` no answer of 400 and above leaves but as a problem. No cache may keep any.

    It also does what HTTP asks of every resource and ninja does not do: HEAD wherever there is GET, OPTIONS, reading a
    body that comes in chunks, and refusing one that is too large (413; where its length is announced, before a byte of
    it is read), whose end is unknown (411), that is not JSON or is encoded (415).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info != PREFIX and not request.path_info.startswith(f"{PREFIX}/"):
            return self.get_response(request)
        # Bearer keys are the only credentials here: no cookie is honoured, so nothing can be forged with one.
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        method = request.method
        if method == "HEAD":
            request.method = "GET"
        problem = self._refusal(request)
        response = problem.response() if problem else self.get_response(request)
        if isinstance(response, HttpResponse):
            self._complete(response, method or "")
        response.headers["Cache-Control"] = "no-store"
        return response

    def process_view(
        self, request: HttpRequest, _view: Callable[..., Any], _args: Sequence[Any], _kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        """Refuse a body that is not JSON, once it is clear that the path exists."""
        api = request.path_info.startswith(f"{PREFIX}/") and request.method in METHODS_WITH_A_BODY
        if not api or not _content_length(request):
            return None
        if request.headers.get("Content-Encoding"):
            return Problem(
                415, "The body must be sent without a Content-Encoding.", headers={"Accept-Encoding": "identity"}
            ).response()
        if request.content_type != "application/json":
            return Problem(415, "The body must be of Content-Type application/json.").response()
        return None

    def _refusal(self, request: HttpRequest) -> Problem | None:
        """The refusal that can be given before the path is resolved, if any."""
        if request.path_info == PREFIX or not is_clean(request.path_info):
            return Problem(404, DETAILS[404])
        if request.META.get("HTTP_TRANSFER_ENCODING"):
            refusal = _read_chunks(request)
            if refusal is not None:
                return refusal
        length = _content_length(request)
        if length is None:
            return Problem(400, "Content-Length is not a number.")
        if length > MAX_BODY_BYTES:
            return Problem(413, f"A body has at most {MAX_BODY_BYTES} bytes.")
        return None

    def _complete(self, response: HttpResponse, method: str) -> None:
        if response.status_code == 405:
            allowed = {name.strip() for name in response.get("Allow", "").split(",") if name.strip()} | {"OPTIONS"}
            response["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
        if response.status_code == 405 and method == "OPTIONS":
            response.status_code = 204
            response.content = b""
            for name in ("Content-Type", "Content-Length"):
                response.headers.pop(name, None)
        elif response.status_code >= 400 and response.get("Content-Type") != CONTENT_TYPE:
            status = response.status_code
            detail = DETAILS.get(status, phrase(status) + ".").format(method=method)
            response.content = Problem(status, detail).response().content
            response["Content-Type"] = CONTENT_TYPE
            response["Content-Length"] = str(len(response.content))
        if method == "HEAD":
            response["Content-Length"] = str(len(response.content))
            response.content = b""


def _read_chunks(request: HttpRequest) -> Problem | None:
    """Read a body without a length, one byte further than it may be long, and say how long it is.

    Our own web process hands bodies over with a length; other servers that take chunks give their end as the end of
    `wsgi.input` and say so. With a length beside the chunks the server has done the work, too.
    """
    if request.META["HTTP_TRANSFER_ENCODING"].strip().lower() != "chunked":
        return Problem(415, "The body must be sent without a Transfer-Encoding but chunked.")
    if request.META.get("CONTENT_LENGTH"):
        return None
    if not request.META.get("wsgi.input_terminated"):
        return Problem(411, "The server in front of this one does not tell where chunks end: send a Content-Length.")
    try:
        body = request.META["wsgi.input"].read(MAX_BODY_BYTES + 1)
    except Exception:  # each server has errors of its own for chunks that are none
        return Problem(400, DETAILS[400])
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._body = body
    return None


def _content_length(request: HttpRequest) -> int | None:
    """The bytes announced, 0 where none are; None where the header is not a number."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    return int(announced) if announced.isascii() and announced.isdigit() and len(announced) < 20 else None
