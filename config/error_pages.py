"""What people see instead of a page: each says what to do next.

Inside the back office a refusal keeps the shell, so that the way back is where it always is. Everywhere else, and
whenever the shell itself may be what is broken, the page stands alone. Under the API `config.api.problems` answers.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.template.loader import get_template
from django.template.response import TemplateResponse
from django.urls import reverse

from config.accounts.refusals import groups_that_may, refused_permissions
from config.content_security import leave_shell

Link = tuple[str, str]  # its words, and where it leads


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, TooManyFilesSent):
        return plain_page(
            request,
            status=400,
            title="Files are not taken",
            text=["Nothing was changed. No form of Tidings takes a file: send it without one."],
            links=_home(),
        )
    if isinstance(exception, TooManyFieldsSent | RequestDataTooBig | MultiPartParserError):
        return plain_page(
            request,
            status=400,
            title="The form cannot be read",
            text=["Nothing was changed. Go back, load the page again, and send the form once more."],
            links=_home(),
        )
    return plain_page(
        request,
        status=400,
        title="This address cannot be read",
        text=["Check the address. If a link brought you here, tell whoever gave it to you."],
    )


def too_large(request: HttpRequest) -> HttpResponse:
    return plain_page(
        request,
        status=413,
        title="This is too much at once",
        text=["Nothing was changed. Go back and send less."],
        links=_home(),
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = _sentence(exception)
    if not _in_back_office(request):
        return plain_page(
            request,
            status=403,
            title="You may not open this page",
            text=[said or "Log in as somebody who may, or go back."],
            links=_home(),
        )
    # Before the menu is made, which asks for many permissions of its own.
    permissions = refused_permissions(request.user)
    context = {
        "title": "You may not do this",
        "said": said,
        "permissions": permissions,
        "groups": groups_that_may(permissions),
    }
    return _page_in_shell(request, "403", context, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = _sentence(exception)
    if _in_back_office(request):
        return _page_in_shell(request, "404", {"title": "There is nothing here", "said": said}, status=404)
    return plain_page(
        request,
        status=404,
        title="There is nothing here",
        text=[said or "Check the address. What it led to may have been removed."],
        links=_home(),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Uses nothing that may be broken: no database, no user, no context processor."""
    return plain_page(
        request,
        status=500,
        title="Something went wrong on our side",
        text=[
            "It has been recorded. Wait a moment and load the page again.",
            "If it happens again, tell whoever runs Tidings what you were doing, and when.",
        ],
        links=_home(),
    )


def too_slow(request: HttpRequest) -> HttpResponse:
    """As `server_error`, whatever is slow may still be."""
    response = plain_page(
        request,
        status=503,
        title="This takes too long",
        text=[
            "It was stopped, so that it holds nobody else up. Ask for less, or wait a moment and try again.",
            "If you have sent a form, look whether it took effect before you send it again.",
        ],
        links=_home(),
    )
    response["Retry-After"] = "10"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 (Django gives it)
    return plain_page(
        request,
        status=403,
        title="The form could not be accepted",
        text=[
            "Nothing was changed. The page that you sent it from is out of date, or your browser keeps no cookies "
            "for this address.",
            "Go back, load the page again, and send the form once more. Allow cookies if you have turned them off.",
        ],
        links=_home(),
    )


def plain_page(
    request: HttpRequest, *, status: int, title: str, text: Sequence[str], links: Sequence[Link] = ()
) -> HttpResponse:
    """A page that stands alone: `text` are its paragraphs, the first of `links` the one to take."""
    leave_shell(request)
    content = get_template("error_pages/plain.html").render({"title": title, "text": text, "links": links})
    return HttpResponse(content, status=status)


def _page_in_shell(request: HttpRequest, name: str, context: dict[str, Any], status: int) -> HttpResponse:
    context = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, f"error_pages/{name}.html", context, status=status).render()


def _in_back_office(request: HttpRequest) -> bool:
    """A page of the back office, asked for by somebody who is logged in there."""
    inside = request.path_info.startswith(reverse("admin:index"))
    return inside and hasattr(request, "user") and admin.site.has_permission(request)


def _home() -> list[Link]:
    return [("To the dashboard", reverse("admin:index"))]


def _sentence(exception: Exception) -> str:
    """What the view said of it; Django itself gives what it has tried, or nothing."""
    said = exception.args[0] if exception.args else ""
    return said if isinstance(said, str) else ""
