"""Integrations and System notifications: which event types are on, and which channels hear of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_app.models import Channel
from channels_app.transports import kind_choices
from notifications import services
from notifications.catalogue import EVENT_TYPES, EventType
from notifications.errors import Conflict
from notifications.forms import AttachForm, SourcesForm
from notifications.models import EventChannel, EventTypeSwitch
from orders.models import Source

View = Callable[..., HttpResponse]


def urls(wrap: Callable[[View], View]) -> list[URLPattern]:
    """The URLs of these pages; `wrap` is the site's `admin_view`, which asks for staff. Permissions are asked here."""
    system = "integrations/system-notifications/"
    one = f"{system}<str:key>/"
    return [
        path("integrations/", wrap(integrations), name="integrations"),
        path(system, wrap(system_notifications), name="system_notifications"),
        path(one, wrap(event_type_page), name="event_type"),
        path(f"{one}switch/", wrap(switch), name="event_type_switch"),
        path(f"{one}attach/", wrap(attach), name="event_type_attach"),
        path(f"{one}channels/<str:channel_id>/sources/", wrap(edit_sources), name="event_type_sources"),
        path(f"{one}channels/<str:channel_id>/detach/", wrap(detach), name="event_type_detach"),
    ]


@dataclass(frozen=True)
class Card:
    """One entry of the Integrations page, for those with the permission."""

    title: str
    text: str
    icon: str
    action: str
    url_name: str
    permission: str


CARDS = (
    Card(
        "System notifications",
        "Tell other systems what happens here: an order closes, a payment is declined, a refund is applied.",
        "notifications_active",
        "Configuration",
        "system_notifications",
        "notifications.view_eventtypeswitch",
    ),
    Card(
        "Channels",
        "Where notifications go: addresses, extra headers and signing secrets.",
        "hub",
        "Open channels",
        "channels_app_channel_changelist",
        "channels_app.view_channel",
    ),
    Card(
        "API keys",
        "What shops, funnels and scripts use to call Tidings.",
        "key",
        "Open API keys",
        "api_apikey_changelist",
        "api.view_apikey",
    ),
    Card(
        "Delivery log",
        "Every delivery with each attempt: what was sent, and what was answered.",
        "list_alt",
        "Open delivery log",
        "notifications_delivery_changelist",
        "notifications.view_delivery",
    ),
)


@require_GET
def integrations(request: HttpRequest) -> HttpResponse:
    cards = [
        {"card": card, "url": reverse(f"admin:{card.url_name}")}
        for card in CARDS
        if request.user.has_perm(card.permission)
    ]
    if not cards:
        raise PermissionDenied
    return _page(request, "integrations", title="Integrations", cards=cards)


@require_GET
@permission_required("notifications.view_eventtypeswitch", raise_exception=True)
def system_notifications(request: HttpRequest) -> HttpResponse:
    switches = EventTypeSwitch.objects.in_bulk()
    rows = [(event_type, switches.get(event_type.key)) for event_type in EVENT_TYPES.values()]
    return _page(
        request,
        "system_notifications",
        title="System notifications",
        crumbs=_crumbs()[:1],
        rows=rows,
        may_switch=request.user.has_perm("notifications.change_eventtypeswitch"),
    )


@require_POST
@permission_required("notifications.change_eventtypeswitch", raise_exception=True)
def switch(request: HttpRequest, key: str) -> HttpResponse:
    """Set an event type to what `enabled` says; not "the other way round", or two people at once undo each other."""
    event_type = _event_type(key)
    wanted = {"true": True, "false": False}.get(request.POST.get("enabled", ""))
    if wanted is None:
        return HttpResponseBadRequest("enabled must be true or false.")
    services.set_event_type_enabled(event_type=event_type, enabled=wanted, by=_name(request.user))
    messages.success(request, f"{event_type.label} was turned {'on' if wanted else 'off'}.")
    return redirect("admin:system_notifications")


@require_GET
@permission_required("notifications.view_eventchannel", raise_exception=True)
def event_type_page(request: HttpRequest, key: str) -> HttpResponse:
    event_type = _event_type(key)
    switch = EventTypeSwitch.objects.filter(event_type=key).first()
    kinds, sources = dict(kind_choices()), dict(Source.choices)
    rows = [
        {
            "channel": attachment.channel,
            "kind": kinds.get(attachment.channel.kind, attachment.channel.kind),
            "sources": [sources[source] for source in attachment.sources],
        }
        for attachment in EventChannel.objects.filter(event_type=key).select_related("channel").order_by("id")
    ]
    return _page(
        request,
        "event_type",
        title=event_type.label,
        crumbs=_crumbs(),
        event_type=event_type,
        enabled=bool(switch and switch.enabled),
        rows=rows,
    )


@require_http_methods(["GET", "POST"])
@permission_required("notifications.add_eventchannel", raise_exception=True)
def attach(request: HttpRequest, key: str) -> HttpResponse:
    event_type = _event_type(key)
    channels = _attachable(event_type)
    form = AttachForm(request.POST if request.method == "POST" else None, channels=channels)
    if request.method == "POST" and form.is_valid():
        try:
            attachment = services.attach_channel(
                event_type=event_type, channel_id=form.cleaned_data["channel"], sources=form.cleaned_data["sources"]
            )
        except ValidationError as error:
            form.add_error(None, error)
        except Conflict as error:
            form.add_error("channel", str(error))
        else:
            messages.success(request, f"{attachment.channel.name} was linked to {event_type.label}.")
            return redirect("admin:event_type", key)
    return _page(
        request,
        "attach",
        title="Attach a channel",
        crumbs=_crumbs(event_type),
        event_type=event_type,
        form=form,
        nothing_to_attach=not channels and not form.is_bound,
    )


@require_http_methods(["GET", "POST"])
@permission_required("notifications.change_eventchannel", raise_exception=True)
def edit_sources(request: HttpRequest, key: str, channel_id: str) -> HttpResponse:
    event_type, attachment = _attachment(key, channel_id)
    form = SourcesForm(
        request.POST if request.method == "POST" else None, initial={"sources": list(attachment.sources)}
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.change_sources(event_type=event_type, channel_id=channel_id, sources=form.cleaned_data["sources"])
        except EventChannel.DoesNotExist as error:
            raise Http404("The channel is not attached any more.") from error
        messages.success(request, f"The sources of {attachment.channel.name} were updated.")
        return redirect("admin:event_type", key)
    return _page(
        request,
        "sources",
        title=f"Sources of {attachment.channel.name}",
        crumbs=_crumbs(event_type),
        event_type=event_type,
        form=form,
    )


@require_http_methods(["GET", "POST"])
@permission_required("notifications.delete_eventchannel", raise_exception=True)
def detach(request: HttpRequest, key: str, channel_id: str) -> HttpResponse:
    """Asks first: GET shows the question, POST is the answer."""
    event_type, attachment = _attachment(key, channel_id)
    if request.method == "POST":
        try:
            services.detach_channel(event_type=event_type, channel_id=channel_id)
        except EventChannel.DoesNotExist as error:
            raise Http404("The channel is not attached any more.") from error
        messages.success(request, f"{attachment.channel.name} was removed from {event_type.label}.")
        return redirect("admin:event_type", key)
    return _page(
        request,
        "detach",
        title=f"Remove {attachment.channel.name}?",
        crumbs=_crumbs(event_type),
        event_type=event_type,
        channel=attachment.channel,
    )


def _attachable(event_type: EventType) -> list[tuple[str, str]]:
    """The channels that may be attached, as (id, label)."""
    labels = dict(kind_choices())
    channels = (
        Channel.objects.filter(archived_at=None, kind__in=event_type.kinds)
        .exclude(attachments__event_type=event_type.key)
        .order_by("name", "id")
    )
    return [(channel.pk, f"{channel.name} ({labels[channel.kind]}, {channel.url})") for channel in channels]


def _attachment(key: str, channel_id: str) -> tuple[EventType, EventChannel]:
    event_type = _event_type(key)
    attachments = EventChannel.objects.select_related("channel")
    return event_type, get_object_or_404(attachments, event_type=key, channel_id=channel_id)


def _event_type(key: str) -> EventType:
    try:
        return EVENT_TYPES[key]
    except KeyError as error:
        raise Http404("There is no such event type.") from error


def _crumbs(event_type: EventType | None = None) -> list[tuple[str, str]]:
    crumbs = [
        ("Integrations", reverse("admin:integrations")),
        ("System notifications", reverse("admin:system_notifications")),
    ]
    if event_type:
        crumbs.append((event_type.label, reverse("admin:event_type", args=[event_type.key])))
    return crumbs


def _page(request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
    return TemplateResponse(request, f"notifications/{template}.html", {**admin.site.each_context(request), **context})


def _name(user: AbstractBaseUser | AnonymousUser) -> str:
    return user.get_username()
