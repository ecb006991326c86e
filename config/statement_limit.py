"""Limits the statements of a web request: its client has gone by then, and PostgreSQL would work on in vain."""

import sys
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse

from backoffice.error_pages import server_error, too_slow
from config.database.limits import limit_statements, was_cancelled
from config.request_log import route_of

log = structlog.get_logger(__name__)


def limit_requests() -> None:
    """Called once, when Django starts. Workers and commands answer no requests, and so have no limit."""
    request_started.connect(_begin, dispatch_uid="config.statement_limit")
    request_finished.connect(_end, dispatch_uid="config.statement_limit")


def _begin(**_: object) -> None:
    limit_statements(settings.WEB_STATEMENT_SECONDS)


def _end(**_: object) -> None:
    """After the last byte, also of an answer that is read from the database while it is sent."""
    limit_statements(None)


class StatementLimitMiddleware:
    """Answers 503 where a view was stopped by the limit; under the API `api.problems` words it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not was_cancelled(exception):
            return None
        log.warning("statement_cancelled", route=route_of(request), seconds=settings.WEB_STATEMENT_SECONDS)
        return too_slow(request)


def failed(request: HttpRequest) -> HttpResponse:
    """The answer to what no view has caught: of a middleware, it may have been the limit, too."""
    return too_slow(request) if was_cancelled(sys.exc_info()[1]) else server_error(request)
