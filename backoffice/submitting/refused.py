"""The answers to a form that is not taken: no user is logged in, another one is, or it was sent before."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from backoffice.frame import Link, page
from backoffice.submitting import drafts
from backoffice.submitting.return_pages import page_of, page_to_return_to
from notifications.display import time_in_words

# In the login's address: a form was sent in vain.
SENT = "sent"


def to_login(request: HttpRequest) -> HttpResponse:
    """Redirect to the login, which leads back to a page. A form has done nothing, and what was typed into it is kept.

    htmx would put the login page into the present page: a header makes it load the login instead.
    """
    query = {REDIRECT_FIELD_NAME: page_to_return_to(request)}
    if request.method not in ("GET", "HEAD"):
        drafts.keep_for_sender(request)
        query[SENT] = "1"
    login = f"{reverse('admin:login')}?{urlencode(query, safe='/')}"
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": login})
    return HttpResponseRedirect(login)


def lead_to_page(request: HttpRequest) -> None:
    """Have a login lead to a page, whatever its address says: what only takes forms answers a blank 405."""
    wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
    parts = urlsplit(wanted)
    if wanted and not parts.netloc and (page := page_of(wanted)) != wanted:
        given = request.GET.copy()
        given[REDIRECT_FIELD_NAME] = page
        request.GET = given  # type: ignore[assignment]


def opened_by_another(request: HttpRequest) -> HttpResponse:
    """403: a form of a page that was made for another person, who was logged in with this browser then."""
    return not_done(
        request,
        status=403,
        title="This page was opened by somebody else",
        sentences=[
            f"You are logged in as {request.user.get_username()}; whoever opened the page that this form is from was "
            "not. Nothing was changed.",
            "Open the page again to do it as yourself.",
        ],
        links=[("Open the page", page_to_return_to(request)), ("To the dashboard", reverse("admin:index"))],
    )


def already_sent(request: HttpRequest, *, at: datetime, same: bool, where: str) -> HttpResponse:
    """409: a form whose token was used. `same`: it was sent with the same content then. `where`: what it led to."""
    when = f"This form was sent before, {time_in_words(at)}, and took effect then."
    if same:
        sentences = [when, "So nothing was done now. What it showed once is not shown again."]
    else:
        sentences = [
            when,
            "What you send now is something else, so nothing was done with it. To make another one of what you typed, "
            "open the form anew: it is filled in with it.",
        ]
    links = [("See what it led to", where)] if where else []
    links.append(("Open the form anew", page_to_return_to(request)))
    return not_done(request, status=409, title="This form was sent already", sentences=sentences, links=links)


def still_running(request: HttpRequest) -> HttpResponse:
    """409 with `Retry-After`: the same form is still being worked on."""
    response = not_done(
        request,
        status=409,
        title="This form is still being worked on",
        sentences=[
            "It was sent before, and what it asks for is not done yet. It was not begun a second time. Look at the "
            "page in a moment to see what came of it."
        ],
        links=[("To the page", page_to_return_to(request))],
    )
    response["Retry-After"] = "1"
    return response


def not_done(
    request: HttpRequest, *, status: int, title: str, sentences: Sequence[str], links: Sequence[Link]
) -> HttpResponse:
    """A page in the shell, rendered: `sentences` say why a form did nothing, the first link is the one to take."""
    context = {"title": title, "sentences": sentences, "links": links}
    return page(request, "error_pages/not_done.html", status=status, **context).render()
