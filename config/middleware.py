"""The small middlewares: what is refused before anything reads it, and the time zone of the client."""

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from backoffice.error_pages import too_large

TIME_ZONE_COOKIE = "time_zone"
NUL = "\0"


class BoundedBodyMiddleware:
    """Answers 413 to a body of more than `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes. The API answers for itself.

    A body in chunks has a length here: the web process has read it by then (`config.web.worker`). Of another server's
    chunks, which have none, Django reads nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        announced = request.META.get("CONTENT_LENGTH") or "0"
        longest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        short = len(announced) < 20 and (not announced.isdecimal() or int(announced) <= longest)
        return self._get_response(request) if short else too_large(request)


class ReadableAddressMiddleware:
    """Answers 400 to a path or a query with a NUL, which PostgreSQL cannot hold: whatever looked one up would break.

    The API has answers of its own, field by field.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/") and _has_nul(request):
            raise BadRequest("There is a NUL in the address.")
        return self._get_response(request)


def _has_nul(request: HttpRequest) -> bool:
    texts = [request.path_info, *request.GET, *(value for values in request.GET.lists() for value in values[1])]
    return any(NUL in text for text in texts)


class PeopleTimeZoneMiddleware:
    """Shows a page of the back office in the time zone that its browser has put into the cookie (`shell.js`).

    Without one, or with a name that is no zone, it is the installation's `TIME_ZONE`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        zone = _zone(request.COOKIES.get(TIME_ZONE_COOKIE, ""))
        if zone is None or not request.path.startswith(reverse("admin:index")):
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or far too long
        return None
