"""One log line a request, and the request's id: in the answer, in each line that is logged meanwhile, with its events.

No line tells a path or a query: the link that sets a new password has its token in the path, and what is searched for
is somebody's name. What a request asked for is its route, as it stands in the URL patterns.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, empty
from django_structlog.signals import bind_extra_request_metadata

from api.client_address import client_address
from notifications.correlation import REQUEST_ID_HEADER, is_request_id, new_request_id

log = structlog.get_logger(__name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"


class RequestLogMiddleware:
    """Stands outermost, so that every answer has the id. In the place of django-structlog's, which logs path and query.

    The line is written when the answer is complete: of one that is made while it is sent, at its last byte.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        got_request_exception.connect(_note_exception, dispatch_uid="config.request_log")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        method = method_of(request)  # middlewares turn HEAD into GET
        self._begin(request)
        response = self.get_response(request)
        response[REQUEST_ID_HEADER] = structlog.contextvars.get_contextvars()["request_id"]
        if response.streaming:
            when_closed(response, lambda: _finish(request, response, method, began))
        else:
            _finish(request, response, method, began)
        return response

    def _begin(self, request: HttpRequest) -> None:
        """Begin the request's context: its id, and the client's address by which logins are counted."""
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=_request_id(request), ip=client_address(request))
        bind_extra_request_metadata.send(sender=self.__class__, request=request, logger=log, log_kwargs={})


def _request_id(request: HttpRequest) -> str:
    """The id that a proxy gave, else a new one: of clients that no proxy stands before, none is taken over."""
    given = request.headers.get(REQUEST_ID_HEADER, "") if settings.TRUSTED_PROXY_COUNT else ""
    return given if is_request_id(given) else new_request_id()


def _note_exception(request: HttpRequest, **_: Any) -> None:
    """Log what no view has caught, with its traceback; Django's own line, with the path, is for `ADMINS` alone."""
    log.exception("request_failed", method=method_of(request), route=route_of(request), **_user(request))


def method_of(request: HttpRequest) -> str:
    return request.method if request.method in METHODS else OTHER_METHOD


def route_of(request: HttpRequest) -> str | None:
    """The URL pattern that was found; None where none was asked for: static files, unknown paths, early refusals."""
    found = request.resolver_match
    return "/" + found.route if found else None


def when_closed(response: HttpResponseBase, finish: Callable[[], None]) -> None:
    """Call `finish` once when the answer has been sent, or given up."""
    close = response.close

    def close_and_finish() -> None:
        nonlocal finish
        close()
        finish()
        finish = lambda: None  # noqa: E731 - servers may close twice

    response.close = close_and_finish  # type: ignore[method-assign]


def _finish(request: HttpRequest, response: HttpResponseBase, method: str, began: float) -> None:
    status = response.status_code
    log.log(
        _level(response),
        "request",
        method=method,
        route=route_of(request),
        status=status,
        duration_ms=round((time.monotonic() - began) * 1000),
        **_user(request),
    )
    structlog.contextvars.clear_contextvars()


def _level(response: HttpResponseBase) -> int:
    """By the status, but for an answer that a view has marked with `on_purpose`: a receiver that plays a refusal."""
    if response.status_code < 400 or getattr(response, "on_purpose", False):
        return logging.INFO
    return logging.ERROR if response.status_code >= 500 else logging.WARNING


def _user(request: HttpRequest) -> dict[str, Any]:
    """The id of the user whom a page was made for, as far as it is known by now: no query is made for the log."""
    user = getattr(request, "user", None)
    if user is None or (isinstance(user, LazyObject) and user._wrapped is empty):
        return {}
    return {} if user.pk is None else {"user_id": user.pk}
