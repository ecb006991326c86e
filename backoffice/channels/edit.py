"""The forms that add a channel and change one."""

from posixpath import normpath
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme

from backoffice.channels.forms import ChannelForm, KindForm
from backoffice.channels.pages import action_page, crumbs_of, locked_if_sent, of_channel, redirect_to, show_secret_once
from backoffice.frame import address_of, may, page
from backoffice.stale_forms import careful
from channels_app.models import Channel
from channels_app.transports import kind_choices, takes
from notifications import services


def add(request: HttpRequest) -> HttpResponse:
    """Asks for the kind first, where there is more than one, then for what that kind needs.

    `?kind=` answers the first question. `?next=`, a page of the back office, is where saving leads, with the id of the
    new channel as `channel`.
    """
    if not may(request, "channels_app.add_channel"):
        raise PermissionDenied
    kinds = dict(kind_choices())
    kind = next(iter(kinds)) if len(kinds) == 1 else request.GET.get("kind", "")
    onward = _next(request)
    back = onward or reverse("admin:channels_app_channel_changelist")
    if kind not in kinds:
        question = KindForm(request.GET if kind else None)
        return page(
            request,
            "channels_app/kind.html",
            title="Add a channel",
            crumbs=crumbs_of(),
            form=question,
            onward=onward,
            back=back,
        )
    form = ChannelForm(request.POST if request.method == "POST" else None, kind=kind)
    if request.method == "POST" and form.is_valid():
        try:
            channel = services.create_channel(kind=kind, by=request.user.get_username(), **form.given())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _created(request, channel, onward)
    return page(
        request,
        "channels_app/form.html",
        title="Add a channel",
        crumbs=crumbs_of(),
        form=form,
        kind=kinds[kind],
        several=len(kinds) > 1,
        back=back,
    )


def _created(request: HttpRequest, channel: Channel, onward: str) -> HttpResponse:
    if signs := takes(channel.kind).signing_secret:
        show_secret_once(request, channel)
    if not onward:
        then = (
            "Its signing secret is shown below, and later by Reveal."
            if signs
            else "A test shows whether it gets there."
        )
        messages.success(request, f"{channel.name} was created. {then}")
        return redirect_to(channel)
    said = 'The channel <a href="{}">{}</a> was created.'
    said += " Its page shows the signing secret now, and later by Reveal." if signs else ""
    messages.success(request, format_html(said, address_of(channel), channel.name))
    parts = urlsplit(onward)
    given = [(name, value) for name, value in parse_qsl(parts.query) if name != "channel"]
    return redirect(parts._replace(query=urlencode([*given, ("channel", channel.pk)])).geturl())


@of_channel("change")
@atomic
def edit(request: HttpRequest, channel: Channel) -> HttpResponse:
    channel = locked_if_sent(request, channel)
    form = careful(ChannelForm)(
        request.POST if request.method == "POST" else None, kind=channel.kind, channel=channel, about=channel.pk
    )
    if request.method == "POST" and form.is_valid():
        try:
            changed = services.update_channel(channel_id=channel.pk, by=request.user.get_username(), **form.given())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            if form.has_changed():
                messages.success(request, f"{changed.name} was updated. Its next attempts use what you gave.")
            else:
                messages.info(request, f"Nothing was changed about {changed.name}.")
            return redirect_to(changed)
    return action_page(
        request,
        channel,
        "channels_app/form.html",
        title=f"Edit {channel.name}",
        form=form,
        headers_unreadable=channel.readable_headers is None,
        url_unreadable=channel.readable_url is None,
        settings_unreadable=channel.readable_settings is None,
    )


def _next(request: HttpRequest) -> str:
    """A page of this back office to go on to; "" where none, or anything else, was given."""
    given = request.GET.get("next", "")
    path = urlsplit(given).path if url_has_allowed_host_and_scheme(given, allowed_hosts=None) else ""
    inside = path.startswith(reverse("admin:index")) and normpath(path) == path.rstrip("/")
    return given if inside else ""
