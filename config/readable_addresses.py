"""Refuses addresses with a NUL in them, which PostgreSQL cannot hold: whatever looked one up would break."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

NUL = "\0"


class ReadableAddressMiddleware:
    """Answers 400 to a path or a query with a NUL. The API has answers of its own, field by field."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/") and _has_nul(request):
            raise BadRequest("There is a NUL in the address.")
        return self._get_response(request)


def _has_nul(request: HttpRequest) -> bool:
    texts = [request.path_info, *request.GET, *(value for values in request.GET.lists() for value in values[1])]
    return any(NUL in text for text in texts)
