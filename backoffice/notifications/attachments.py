"""Attaching a channel to an event type, changing its sources, and removing it."""

from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from backoffice.channels.forms import ChannelForm
from backoffice.channels.pages import channel_label
from backoffice.frame import Crumbs, crumbs, page
from backoffice.notifications.event_types import find_event_type
from backoffice.stale_forms import careful
from backoffice.stale_pages import FIELD, Facts
from channels_app.models import Channel
from channels_app.services import lock_channel
from channels_app.transports import kind_choices
from notifications import services
from notifications.errors import Conflict
from notifications.events import EventType
from notifications.models import EventChannel
from orders.models import Source


class SourcesForm(forms.Form):
    """The sources that a channel listens to."""

    sources = forms.MultipleChoiceField(
        choices=Source.choices,
        initial=list(Source.values),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one source."},
        help_text="The channel hears only of what comes from the chosen sources.",
    )

    def __init__(self, data: QueryDict | None = None, **kwargs: Any) -> None:
        super().__init__(data, **{"label_suffix": "", **kwargs})


class AttachForm(SourcesForm):
    """`channels` are those offered, as (id, label). What is sent may be another: the service says why not.

    `chosen` is the id of the one chosen at first; that of another is left aside.
    """

    field_order = ["channel", "sources"]

    def __init__(self, data: QueryDict | None = None, *, channels: list[tuple[str, str]], chosen: str = "") -> None:
        super().__init__(data, initial={"channel": chosen if chosen in dict(channels) else ""})
        self.fields["channel"] = forms.CharField(
            widget=forms.Select(choices=[("", "Choose a channel"), *channels]),
            error_messages={"required": "Choose a channel."},
        )
        self.order_fields(self.field_order)


@require_http_methods(["GET", "POST"])
@permission_required("notifications.add_eventchannel", raise_exception=True)
def attach(request: HttpRequest, key: str) -> HttpResponse:
    """The form. `?channel=` is the one chosen at first, where it may be attached."""
    event_type = find_event_type(key)
    channels = _attachable(event_type)
    form = AttachForm(
        request.POST if request.method == "POST" else None, channels=channels, chosen=request.GET.get("channel", "")
    )
    if event_type.postback_only:
        form.fields["channel"].help_text = f"{event_type.label} goes to postbacks only; other kinds are not offered."
    if request.method == "POST" and form.is_valid():
        try:
            attachment = services.attach_channel(
                event_type=event_type,
                channel_id=form.cleaned_data["channel"],
                sources=form.cleaned_data["sources"],
                by=request.user.get_username(),
            )
        except ValidationError as error:
            form.add_error(None, error)
        except Conflict as error:
            form.add_error("channel", str(error))
        else:
            messages.success(request, f"{attachment.channel.name} was linked to {event_type.label}.")
            return redirect("admin:event_type", key)
    return page(
        request,
        "notifications/attach.html",
        title="Attach a channel",
        crumbs=_crumbs(event_type),
        form=form,
        nothing_to_attach=not channels,
        **_new_channel(event_type, event_type.kinds[0]),
    )


@never_cache
@require_http_methods(["GET", "POST"])
@permission_required(["notifications.add_eventchannel", "channels_app.add_channel"], raise_exception=True)
def add_channel(request: HttpRequest, key: str) -> HttpResponse:
    """The dialog for a new channel: GET answers the empty form of a `kind`, POST makes and attaches the channel.

    Answers a POST with 201, the new option and its secret; or with 422 and the form.
    """
    event_type = find_event_type(key)
    kind = (request.POST if request.method == "POST" else request.GET).get("kind", "")
    if kind not in event_type.kinds:
        return HttpResponseBadRequest("kind must be one that the event type allows.")
    if request.method == "GET":
        return page(request, "notifications/includes/added_channel.html", **_new_channel(event_type, kind))
    form = ChannelForm(request.POST, kind=kind)
    channel = None
    if form.is_valid():
        try:
            channel = services.create_channel(kind=kind, by=request.user.get_username(), **form.given())
        except ValidationError as error:
            form.add_error(None, error)
    return page(
        request,
        "notifications/includes/added_channel.html",
        status=201 if channel else 422,
        channel=channel,
        label=channel_label(channel) if channel else "",
        **_new_channel(event_type, kind, None if channel else form),
    )


@require_http_methods(["GET", "POST"])
@permission_required("notifications.change_eventchannel", raise_exception=True)
@atomic
def edit_sources(request: HttpRequest, key: str, channel_id: str) -> HttpResponse:
    event_type, attachment = _attachment(request, key, channel_id)
    if attachment is None:
        return redirect("admin:event_type", key)
    form = careful(SourcesForm)(
        request.POST if request.method == "POST" else None,
        initial={"sources": list(attachment.sources)},
        about=f"{key} {channel_id}",
    )
    if request.method == "POST" and form.is_valid():
        services.change_sources(
            event_type=event_type,
            channel_id=channel_id,
            sources=form.cleaned_data["sources"],
            by=request.user.get_username(),
        )
        messages.success(request, f"The sources of {attachment.channel.name} were updated.")
        return redirect("admin:event_type", key)
    return page(
        request,
        "notifications/sources.html",
        title=f"Sources of {attachment.channel.name}",
        crumbs=_crumbs(event_type),
        event_type=event_type,
        form=form,
    )


@require_http_methods(["GET", "POST"])
@permission_required("notifications.delete_eventchannel", raise_exception=True)
@atomic
def detach(request: HttpRequest, key: str, channel_id: str) -> HttpResponse:
    """Asks first: GET shows the question, POST is the answer."""
    event_type, attachment = _attachment(request, key, channel_id)
    if attachment is None:
        return redirect("admin:event_type", key)
    channel, sources = attachment.channel, ", ".join(Source(source).label for source in attachment.sources)
    facts = Facts(
        f"attachment {key} {channel_id}", {"Its name": channel.name, "Its address": channel.address, "Sources": sources}
    )
    meanwhile = facts.changes(request.POST)
    if request.method == "POST" and not meanwhile:
        services.detach_channel(event_type=event_type, channel_id=channel_id, by=request.user.get_username())
        messages.success(request, f"{attachment.channel.name} was removed from {event_type.label}.")
        return redirect("admin:event_type", key)
    return page(
        request,
        "notifications/detach.html",
        title=f"Remove {attachment.channel.name}?",
        crumbs=_crumbs(event_type),
        event_type=event_type,
        channel=attachment.channel,
        facts=facts,
        meanwhile=meanwhile,
    )


def _crumbs(event_type: EventType) -> Crumbs:
    """The way to the pages of one event type."""
    own = (event_type.label, reverse("admin:event_type", args=[event_type.key]))
    return crumbs("integrations", "system_notifications", own)


def _new_channel(event_type: EventType, kind: str, form: forms.Form | None = None) -> dict[str, Any]:
    """The form of the dialog for a new channel: empty, or with its errors."""
    labels = dict(kind_choices())
    return {
        "event_type": event_type,
        "kind": kind,
        "kinds": [(each, labels[each]) for each in event_type.kinds],
        "channel_form": form or ChannelForm(kind=kind),
    }


def _attachable(event_type: EventType) -> list[tuple[str, str]]:
    """The channels that may be attached, as (id, label)."""
    channels = (
        Channel.objects.filter(archived_at=None, kind__in=event_type.kinds)
        .exclude(attachments__event_type=event_type.key)
        .order_by("name", "id")
    )
    return [(channel.pk, channel_label(channel)) for channel in channels]


def _attachment(request: HttpRequest, key: str, channel_id: str) -> tuple[EventType, EventChannel | None]:
    """The attachment that the page is about; to be changed, with its channel locked. Raises `Http404`.

    None, with a message to the user, where a form was sent and another user has removed it meanwhile.
    """
    event_type = find_event_type(key)
    attachments = EventChannel.objects.select_related("channel").filter(event_type=key, channel_id=channel_id)
    if request.method != "POST":
        return event_type, get_object_or_404(attachments)
    with suppress(Channel.DoesNotExist):
        lock_channel(channel_id)
    attachment = attachments.first()
    if attachment is None and FIELD not in request.POST:
        raise Http404("The channel is not attached any more.")
    if attachment is None:
        name = get_object_or_404(Channel, pk=channel_id).name
        messages.error(request, f"{name} is not attached to {event_type.label} any more. Nothing was changed now.")
    return event_type, attachment
