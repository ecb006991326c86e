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
from backoffice.frame import page, plain_page
from backoffice.submitting import drafts
from backoffice.submitting.refused import not_done, opened_by_another
from backoffice.submitting.return_pages import page_to_return_to
from backoffice.submitting.tokens import token_of

LOGGED_IN_ANEW = "You have logged in anew since this page was opened, so nothing was changed."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, TooManyFilesSent):
        text = "Nothing was changed. No form of Tidings takes a file: send it without one."
        return _plain(request, 400, "Files are not taken", text)
    if isinstance(exception, TooManyFieldsSent | RequestDataTooBig | MultiPartParserError):
        text = "Nothing was changed. Go back, load the page again, and send the form once more."
        return _plain(request, 400, "The form cannot be read", text)
    return plain_page(
        request,
        status=400,
        title="This address cannot be read",
        text=["Check the address. If a link brought you here, tell whoever gave it to you."],
    )


def too_large(request: HttpRequest) -> HttpResponse:
    return _plain(request, 413, "This is too much at once", "Nothing was changed. Go back and send less.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = _sentence(exception)
    if not _in_back_office(request):
        return _plain(request, 403, "You may not open this page", said or "Log in as somebody who may, or go back.")
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
    text = said or "Check the address. What it led to may have been removed."
    return _plain(request, 404, "There is nothing here", text)


def server_error(request: HttpRequest) -> HttpResponse:
    """Uses nothing that may be broken: no database, no user, no context processor."""
    return _plain(
        request,
        500,
        "Something went wrong on our side",
        "It has been recorded. Wait a moment and load the page again.",
        "If it happens again, tell whoever runs Tidings what you were doing, and when.",
    )


def too_slow(request: HttpRequest) -> HttpResponse:
    """As `server_error`, whatever is slow may still be."""
    response = _plain(
        request,
        503,
        "This takes too long",
        "It was stopped, so that it holds nobody else up. Ask for less, or wait a moment and try again.",
        "If you have sent a form, look whether it took effect before you send it again.",
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
    return _plain(
        request,
        403,
        "The form could not be accepted",
        "Nothing was changed. The page that you sent it from is out of date, or your browser keeps no cookies for this "
        "address.",
        "Go back, load the page again, and send the form once more. Allow cookies if you have turned them off.",
    )


def _in_back_office(request: HttpRequest) -> bool:
    """Whether the request is for a page of the back office, by a user who is logged in there."""
    inside = request.path.startswith(reverse("admin:index"))
    return inside and hasattr(request, "user") and admin.site.has_permission(request)


def _plain(request: HttpRequest, status: int, title: str, *paragraphs: str) -> HttpResponse:
    """A page that stands alone and links to the dashboard."""
    home = [("To the dashboard", reverse("admin:index"))]
    return plain_page(request, status=status, title=title, text=paragraphs, links=home)


def _sentence(exception: Exception) -> str:
    """The sentence that the view raised; "" for exceptions of Django itself, which carry data or nothing."""
    said = exception.args[0] if exception.args else ""
    return said if isinstance(said, str) else ""
