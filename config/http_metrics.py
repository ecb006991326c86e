"""Counts HTTP requests by route and status, with how long they took.

The route is the pattern of the address, so there are as many as the code has. What no pattern matches is `unmatched`;
static files, which are answered before any is looked for, are `static`.
"""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.request_log import method_of, route_of
from notifications.metrics.instruments import counter, harmless, histogram

UNMATCHED, STATIC = "unmatched", "static"

REQUESTS = counter("tidings_http_requests", "HTTP requests that were answered.", "method", "route", "status")
REQUEST_SECONDS = histogram(
    "tidings_http_request_duration_seconds",
    "How long it took to answer an HTTP request, until its answer could be sent.",
    *("method", "route"),
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)


class HttpMetricsMiddleware:
    """Stands far out: what the others refuse is counted as well."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        method = method_of(request)  # middlewares turn HEAD into GET
        response = self._get_response(request)
        _answered(method, request, response.status_code, time.monotonic() - began)
        return response


@harmless
def _answered(method: str, request: HttpRequest, status: int, seconds: float) -> None:
    route = _route(request)
    REQUESTS.labels(method, route, status).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


def _route(request: HttpRequest) -> str:
    found = route_of(request)
    if found is not None:
        return found
    return STATIC if request.path.startswith(str(settings.STATIC_URL)) else UNMATCHED
