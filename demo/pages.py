"""Shared by the demo's pages: for staff alone, and with lists that refresh themselves."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import user_passes_test
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

MAX_BODY_BYTES = 256 * 1024
ON_A_PAGE = 25
REFRESH_SECONDS = 3
staff_only = user_passes_test(lambda user: user.is_active and user.is_staff, login_url="admin:login")


def list_context(request: HttpRequest, rows: QuerySet[Model], *, kept: int) -> dict[str, Any]:
    """For `demo/list.html`: the page of `rows` that is asked for. `?paused=1` does not refresh itself."""
    return {
        "page": Paginator(rows, ON_A_PAGE).get_page(request.GET.get("page")),
        "kept": kept,
        "paused": "paused" in request.GET,
        "refresh_seconds": REFRESH_SECONDS,
        "time_zone": settings.TIME_ZONE,
    }


def whole_body(request: HttpRequest) -> bytes | None:
    """The body of a POST; None where it is more than 256 KiB."""
    body: bytes = request.read(MAX_BODY_BYTES + 1)
    return body if len(body) <= MAX_BODY_BYTES else None


def on_purpose(response: HttpResponse) -> HttpResponse:
    """This answer, whose status is no trouble of this process: the log has it as any other request."""
    response.on_purpose = True  # type: ignore[attr-defined]  # for `config.request_log`
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own line says that it is
    return response
