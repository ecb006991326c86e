"""Counts HTTP requests by route and status, with how long they took.

The route is the pattern of the address, so there are as many as the code has. What no pattern matches is `unmatched`;
static files, which are answered before any is looked for, are `static`.
"""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notifications.metrics.instruments import counter, harmless, histogram

UNMATCHED, STATIC = "unmatched", "static"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"

REQUESTS = counter("tidings_http_requests", "HTTP requests that were answered.", "method", "route", "status")
REQUEST_SECONDS = histogram(
    "tidings_http_request_duration_seconds",
    "How long it took to answer an HTTP request, until its answer could be sent.",
    *("method", "route"),
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)


class HttpMetricsMiddleware:
    """The outermost: what the others refuse is counted as well."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        response = self._get_response(request)
        _answered(request, response.status_code, time.monotonic() - began)
        return response


@harmless
def _answered(request: HttpRequest, status: int, seconds: float) -> None:
    method = request.method if request.method in METHODS else OTHER_METHOD
    route = _route(request)
    REQUESTS.labels(method, route, status).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


def _route(request: HttpRequest) -> str:
    if request.resolver_match is not None:
        return f"/{request.resolver_match.route}"
    return STATIC if request.path.startswith(str(settings.STATIC_URL)) else UNMATCHED
