"""Refuses bodies that are larger than any form of ours, before anything reads them."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from backoffice.error_pages import too_large


class BoundedBodyMiddleware:
    """Answers 413 to a body of more than `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes. The API answers for itself.

    A body in chunks has a length here: the web process has read it by then (`config.web.worker`). Of another server's
    chunks, which have none, Django reads nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        announced = request.META.get("CONTENT_LENGTH") or "0"
        short = len(announced) < 20 and (not announced.isdecimal() or int(announced) <= _longest())
        return self._get_response(request) if short else too_large(request)


def _longest() -> int:
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
