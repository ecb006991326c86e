"""Error pages. Each says what to do next.

Inside the back office a refusal keeps the shell, so that the way back is where it always is. Everywhere else, and
whenever the shell itself may be what is broken, the page stands alone. Under the API `api.problems` answers.
"""

from django.contrib import admin, messages
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.urls import reverse

from backoffice.accounts.refusals import groups_that_may, refused_permissions
from backoffice.frame import Link, page, plain_page
from backoffice.submitting import drafts
from backoffice.submitting.refused import not_done, opened_by_another
from backoffice.submitting.return_pages import page_to_return_to
from backoffice.submitting.tokens import token_of

LOGGED_IN_ANEW = "You have logged in anew since this page was opened, so nothing was changed."


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
    return page(
        request,
        "error_pages/403.html",
        status=403,
        typed_is_kept=request.method == "POST" and drafts.keep_for_sender(request),
        title="You may not do this",
        said=said,
        permissions=permissions,
        groups=groups_that_may(permissions),
    ).render()


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = _sentence(exception)
    if _in_back_office(request):
        return page(request, "error_pages/404.html", status=404, title="There is nothing here", said=said).render()
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
    """The answer to a form with a wrong CSRF token, mostly after a new login in another tab: what was typed is kept."""
    token = token_of(request)
    if _in_back_office(request) and token is not None:
        if token.user_id != request.user.pk:
            return opened_by_another(request)
        drafts.keep_for_sender(request)
        if "HX-Request" in request.headers:
            messages.error(request, LOGGED_IN_ANEW)
            return HttpResponse(status=403, headers={"HX-Redirect": page_to_return_to(request)})
        return not_done(
            request,
            status=403,
            title="You have logged in anew",
            sentences=[LOGGED_IN_ANEW, "What you typed is kept: it is in the form again when you go back to it."],
            links=[("Back to the form", page_to_return_to(request))],
        )
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


def _in_back_office(request: HttpRequest) -> bool:
    """Whether the request is for a page of the back office, by a user who is logged in there."""
    inside = request.path_info.startswith(reverse("admin:index"))
    return inside and hasattr(request, "user") and admin.site.has_permission(request)


def _home() -> list[Link]:
    return [("To the dashboard", reverse("admin:index"))]


def _sentence(exception: Exception) -> str:
    """The sentence that the view raised; "" for exceptions of Django itself, which carry data or nothing."""
    said = exception.args[0] if exception.args else ""
    return said if isinstance(said, str) else ""
