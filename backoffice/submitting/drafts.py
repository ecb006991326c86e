"""Drafts: what was typed into a form that could not be taken, kept until its user comes back to it.

It is kept in the session of the browser, encrypted, and only given to the user for whom the form's page was made:
its one-time token says who that is. So nothing is kept of forms that are none of ours, and another user who logs in
with the same browser does not see it. Passwords are never kept.
"""

import json
import time
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse

from backoffice import stale_pages
from backoffice.submitting.html_fill import fill
from backoffice.submitting.return_pages import page_to_return_to
from backoffice.submitting.tokens import FIELD, token_of
from channels_app.encryption import SecretUnreadable, decrypt, encrypt

SECONDS = 3600
LARGEST = 128 * 1024
FILLED_IN = "What you had typed is in the form again. Nothing of it has been saved yet."
_KEY = "kept_form"
_OF_THE_PAGE = {"csrfmiddlewaretoken", FIELD, stale_pages.FIELD}


def keep(request: HttpRequest, user_id: int) -> bool:
    """Keep what was sent with `request` for this user. False where there is nothing to keep, or too much."""
    typed = {
        name: request.POST.getlist(name)
        for name in request.POST
        if name not in _OF_THE_PAGE and "password" not in name.lower()
    }
    text = json.dumps({"action": request.path, "typed": typed})
    if not typed or len(text) > LARGEST:
        return False
    request.session[_KEY] = {
        "user": user_id,
        "page": urlsplit(page_to_return_to(request)).path,
        "until": time.time() + SECONDS,
        "sealed": encrypt(text),
    }
    return True


def keep_for_sender(request: HttpRequest) -> bool:
    """Keep what was sent for the user of the form's page, unless another one is logged in by now."""
    token = token_of(request)
    if token is None or (request.user.is_authenticated and request.user.pk != token.user_id):
        return False
    return keep(request, token.user_id)


def is_kept(request: HttpRequest) -> bool:
    """Whether the session holds a draft."""
    return _KEY in request.session


def forget(request: HttpRequest) -> None:
    """A form was taken: what was kept of it is done with."""
    found = request.session.get(_KEY)
    if found is not None and found["page"] == urlsplit(page_to_return_to(request)).path:
        del request.session[_KEY]


def take(request: HttpRequest) -> dict[str, Any] | None:
    """Take the draft for the requested page out of the session, as `action` and `typed`: it is given once.

    A draft of another user, and one that is too old, is deleted.
    """
    found = request.session.get(_KEY)
    if found is None:
        return None
    if found["user"] != request.user.pk or found["until"] < time.time():
        del request.session[_KEY]
        return None
    if request.method != "GET" or found["page"] != request.path or "HX-Request" in request.headers:
        return None
    del request.session[_KEY]
    try:
        form: dict[str, Any] = json.loads(decrypt(found["sealed"]))
    except SecretUnreadable:
        return None
    return form


def fill_in(request: HttpRequest, response: HttpResponse, form: dict[str, Any]) -> HttpResponse:
    """The page with what was typed in its form, which it says."""
    if response.status_code != 200:
        return response
    messages.info(request, FILLED_IN)
    if isinstance(response, SimpleTemplateResponse):
        response.render()
    response.content = fill(response.content.decode(), page=request.path, action=form["action"], typed=form["typed"])
    return response
