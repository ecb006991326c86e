"""What the pages of Integrations have in common: the frame around them, the way back, and what they name."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from channels_app.models import Channel
from channels_app.transports import kind_label
from notifications.catalogue import EVENT_TYPES, EventType

Crumbs = list[tuple[str, str]]


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """`notifications/<template>.html` in the shell."""
    context = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, f"notifications/{template}.html", context, status=status)


def find_event_type(key: str) -> EventType:
    """The event type of a URL. Raises `Http404`."""
    try:
        return EVENT_TYPES[key]
    except KeyError as error:
        raise Http404("There is no such event type.") from error


def channel_label(channel: Channel) -> str:
    """A channel among others to choose from."""
    paused = ", paused" if channel.paused_at else ""
    return f"{channel.name} ({kind_label(channel.kind)}, {channel.short_address}{paused})"


def to_integrations() -> Crumbs:
    return [("Integrations", reverse("admin:integrations"))]


def to_system_notifications() -> Crumbs:
    return [*to_integrations(), ("System notifications", reverse("admin:system_notifications"))]


def to_event_type(event_type: EventType) -> Crumbs:
    return [*to_system_notifications(), (event_type.label, reverse("admin:event_type", args=[event_type.key]))]
