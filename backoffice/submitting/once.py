"""A form takes effect once, however often it is sent: three clicks make one order.

Each form carries a one-time token. What the first one does and the answer that is kept for the token are one
transaction: both are committed, or neither. The second one gets that answer, also when both are sent at the same time:
it waits for the first. What was refused keeps nothing, so the token is as good as before.

A form without a token, from a script or a page that is older than this, is taken as it is.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse
from django.utils.crypto import salted_hmac
from django.utils.safestring import SafeString

from backoffice import stale_pages
from backoffice.content_security import enter_shell
from backoffice.frame import is_done
from backoffice.submitting import drafts
from backoffice.submitting.models import Submission
from backoffice.submitting.refused import already_sent, opened_by_another, still_running
from backoffice.submitting.tokens import FIELD, HEADER, Token, new_token, token_of
from channels_app.encryption import SecretUnreadable, decrypt, encrypt
from orders.locks import key_of, take_lock

# A browser that is started again may send a form of last week anew.
KEPT_FOR = timedelta(days=7)
# An answer that is more than a redirect may show a secret, once.
SHOWN_AGAIN_FOR = timedelta(minutes=15)
LONGEST_WAIT = "10s"

View = Callable[..., HttpResponse]
_KEPT_HEADERS = ("Location", "Content-Type", "Cache-Control", "HX-Trigger")
_SALT = "tidings.submission"


def once(view: View) -> View:
    """Wrap a view of the back office, for people who are logged in."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        token = token_of(request)
        if token is None:
            return view(request, *args, **kwargs)
        if token.user_id != request.user.pk:
            return opened_by_another(request)
        # Before the view: it may end the session, or begin another.
        submission = Submission(
            user_id=token.user_id, nonce=token.nonce, fingerprint=_fingerprint(request), session=_session(request)
        )
        with transaction.atomic():
            if not _lock(token):
                return still_running(request)
            first = Submission.objects.filter(user_id=token.user_id, nonce=token.nonce).first()
            if first is not None:
                again = _again(request, first, submission)
                if again is not None:
                    return again
            response = _rendered(view(request, *args, **kwargs))
            if _took_effect(request, response):
                if first is None:
                    _keep(request, submission, response)
                drafts.forget(request)
                if "Location" not in response:
                    response[HEADER] = new_token(token.user_id)
        return response

    return answer


def _lock(token: Token) -> bool:
    """Hold the token until this transaction ends; False where another one goes on holding it.

    PostgreSQL releases it after the commit is visible, so that the next holder sees the kept answer.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)", [LONGEST_WAIT]
            )
            usual, _ = cursor.fetchone()
            take_lock(key_of(f"{_SALT} {token.user_id} {token.nonce}"))
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [usual])
    except OperationalError:
        return False
    return True


def _again(request: HttpRequest, first: Submission, now: Submission) -> HttpResponse | None:
    """The answer to a form whose token was used. None where it is to be taken all the same.

    A user may go back to a form that edits something and change more: that compares with what it showed. One who goes
    back to a form that makes something and sends other values may want another thing or a correction, so the page asks.
    """
    answer = _read(first)
    same = first.fingerprint == now.fingerprint
    if not same and stale_pages.FIELD in request.POST:
        return None
    if not same:
        drafts.keep(request, now.user_id)
    if answer is None or not same or ("Location" not in answer["headers"] and not _may_see_again(first, now)):
        where = answer["headers"].get("Location", "") if answer else ""
        return already_sent(request, at=first.created_at, same=same, where=where)
    _say_again(request, answer["messages"])
    if answer["in_shell"]:
        enter_shell(request)
    if "Location" in answer["headers"]:
        return HttpResponseRedirect(answer["headers"]["Location"], status=answer["status"])
    response = HttpResponse(answer["body"].encode(), status=answer["status"], headers=answer["headers"])
    response[HEADER] = new_token(now.user_id)
    return response


def _may_see_again(first: Submission, now: Submission) -> bool:
    """Whether the answer itself may be shown again, which may hold a secret: in the same session, and soon."""
    fresh = Submission.objects.filter(pk=first.pk, created_at__gt=Now() - SHOWN_AGAIN_FOR).exists()
    return fresh and first.session == now.session


def _took_effect(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether the form took effect: a redirect, or an answer that says so itself; no page that only gives a refusal."""
    said = _said(request)
    if said and not any(message.level == messages.SUCCESS for message in said):
        return False
    return 300 <= response.status_code < 400 or response.status_code == 201 or is_done(response)


def _keep(request: HttpRequest, submission: Submission, response: HttpResponse) -> None:
    answer = {
        "status": response.status_code,
        "headers": {name: response[name] for name in _KEPT_HEADERS if name in response},
        "body": "" if "Location" in response else response.content.decode(),
        "messages": [[message.level, str(message), hasattr(message.message, "__html__")] for message in _said(request)],
        "in_shell": getattr(request, "in_shell", False),
    }
    submission.encrypted_answer = encrypt(json.dumps(answer))
    submission.is_page = "Location" not in response
    submission.save(force_insert=True)


def _read(submission: Submission) -> dict[str, Any] | None:
    if not submission.encrypted_answer:
        return None
    try:
        answer: dict[str, Any] = json.loads(decrypt(submission.encrypted_answer))
    except SecretUnreadable:  # its key is gone
        return None
    return answer


def _said(request: HttpRequest) -> list[Any]:
    """The messages of this request. Those of earlier ones, which wait to be shown, are not among them."""
    storage: Any = messages.get_messages(request)
    return list(storage._queued_messages)


def _say_again(request: HttpRequest, said: list[list[Any]]) -> None:
    """Show the messages of the first answer again, unless they still wait to be shown."""
    storage: Any = messages.get_messages(request)
    waiting = {str(message) for message in storage}
    storage.used = False  # looked at, but not shown
    for level, text, is_markup in said:
        if text not in waiting:
            messages.add_message(request, level, SafeString(text) if is_markup else text)


def _rendered(response: HttpResponse) -> HttpResponse:
    """Within the transaction: what a page reads belongs to it."""
    return response.render() if isinstance(response, SimpleTemplateResponse) else response


def _fingerprint(request: HttpRequest) -> str:
    """A hash of the address and all that was typed. Keyed, since passwords are among it."""
    sent = sorted((name, request.POST.getlist(name)) for name in request.POST if name not in _OF_THE_PAGE)
    return salted_hmac(_SALT, json.dumps([request.get_full_path(), sent]), algorithm="sha256").hexdigest()


_OF_THE_PAGE = {"csrfmiddlewaretoken", FIELD, stale_pages.FIELD}


def _session(request: HttpRequest) -> str:
    return salted_hmac(_SALT, request.session.session_key or "", algorithm="sha256").hexdigest()
