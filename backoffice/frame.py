"""The frame around the pages of the back office: the shell, the way back, who may do what, and how a page follows.

Views make their answers with `page`, say the way back with `crumbs` and ask for permissions with `may`. A part of a
page that follows a delivery asks again after `look_again_after` seconds, and is answered by `unless_seen`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from backoffice.content_security import leave_shell
from notifications.models import Delivery

Link = tuple[str, str]  # its words, and where it leads
Crumbs = list[Link]
Response = TypeVar("Response", bound=HttpResponse)

# The pages that others lie below, by the names of their URLs.
TITLES = {
    "integrations": "Integrations",
    "system_notifications": "System notifications",
    "event_catalogue": "Event catalogue",
    "channels_app_channel_changelist": "Channels",
    "api_apikey_changelist": "API keys",
    "notifications_delivery_changelist": "Delivery log",
    "notifications_event_changelist": "Events",
}
# How often a page looks again while something is about to happen, in seconds.
SOON_SECONDS = 2


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """The template in the shell, with `context` beside the shell's own: `title`, `crumbs` and what the page shows."""
    context = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, template, context, status=status)


def plain_page(
    request: HttpRequest, *, status: int, title: str, text: Sequence[str], links: Sequence[Link] = ()
) -> HttpResponse:
    """A page that stands alone: `text` are its paragraphs, the first of `links` the one to take.

    Asks neither the database nor the user, so that it can be shown when those are what is broken.
    """
    leave_shell(request)
    content = get_template("error_pages/plain.html").render({"title": title, "text": text, "links": links})
    return HttpResponse(content, status=status)


def crumbs(*way: str | Link) -> Crumbs:
    """The way to a page, outermost first: names of URLs that are in `TITLES`, or words with their address."""
    return [(TITLES[each], reverse(f"admin:{each}")) if isinstance(each, str) else each for each in way]


def address_of(record: Model) -> str:
    """The path of a record's page. Ids are quoted as Django's admin does: `chn_01...` is `chn_5F01...`."""
    meta = record._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(record.pk)])


def may(request: HttpRequest, permission: str) -> bool:
    """Whether the user has the permission `app.codename`."""
    return request.user.has_perm(permission)


def is_superuser(request: HttpRequest) -> bool:
    """Whether the user may do everything."""
    return request.user.is_active and request.user.is_superuser


def look_again_after(delivery: Delivery, *, later: int) -> int | None:
    """Seconds until a page that shows this delivery looks again; None once it is settled.

    `SOON_SECONDS` while it is in flight, or due before another ten seconds beyond `later`; else `later`.
    """
    if delivery.status != Delivery.Status.PENDING:
        return None
    due = delivery.next_attempt_at
    if delivery.shown_status == "held" or due is None:
        return later
    left = (due - timezone.now()).total_seconds()
    return SOON_SECONDS if delivery.in_flight or left < later + 10 else later


def unless_seen(request: HttpRequest, version: str, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """`answer()`, the fragment that a page asked for; 204 where the page shows this version already (`?seen=`)."""
    return HttpResponse(status=204) if request.GET.get("seen") == version else answer()


def done(response: Response) -> Response:
    """Mark a page or fragment as the answer to a form that took effect: the same form, sent again, gets it again."""
    response.form_took_effect = True  # type: ignore[attr-defined]
    return response


def is_done(response: HttpResponse) -> bool:
    """Whether `done` marked it."""
    return getattr(response, "form_took_effect", False)
