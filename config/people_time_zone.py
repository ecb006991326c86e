"""Times in the back office are those of whoever looks."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

COOKIE = "time_zone"


class PeopleTimeZoneMiddleware:
    """Shows a page of the back office in the time zone that its browser has put into the cookie (`shell.js`).

    Without one, or with a name that is no zone, it is the installation's `TIME_ZONE`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        zone = _zone(request.COOKIES.get(COOKIE, ""))
        if zone is None or not request.path_info.startswith(reverse("admin:index")):
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or far too long
        return None
