"""What is answered where nobody is logged in any more."""

from urllib.parse import urlencode, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from backoffice.submitting import kept
from backoffice.submitting.pages import page_of, page_to_return_to

# In the login's address: a form was sent in vain.
SENT = "sent"


def to_login(request: HttpRequest) -> HttpResponse:
    """To the login, which leads back to a page. A form has done nothing, and what was typed into it is kept.

    htmx would put the login page into the page that is there; it is told to leave that.
    """
    query = {REDIRECT_FIELD_NAME: page_to_return_to(request)}
    if request.method not in ("GET", "HEAD"):
        kept.keep_for_sender(request)
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
