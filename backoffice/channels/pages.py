"""Shared by the pages of channels: the channel of a page, its permission, and how a channel is named."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from backoffice.frame import Crumbs, address_of, crumbs, may, page
from channels_app.models import Channel
from channels_app.services import lock_channel
from channels_app.transports import TRANSPORTS, Transport, kind_label
from notifications.events import EVENT_TYPES

View = Callable[..., HttpResponse]

# In the session between a new secret and the channel's page, which shows it unasked this once. Not the secret itself.
NEW_SECRET = "channel_with_new_secret"


def of_channel(action: Literal["view", "change", "delete"]) -> Callable[[View], View]:
    """A view `(request, channel, ...)` for users with this permission for channels.

    404 for an unknown channel, and for one that is deleted meanwhile.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
            if not may(request, f"channels_app.{action}_channel"):
                raise PermissionDenied
            try:
                channel = Channel.objects.get(pk=unquote(object_id), archived_at=None)
                return view(request, channel, *args, **kwargs)
            except Channel.DoesNotExist as error:
                raise Http404("There is no such channel.") from error

        return answer

    return decorate


def locked_if_sent(request: HttpRequest, channel: Channel) -> Channel:
    """The channel as it is now, for a form that was sent: locked, so that what is compared is what is changed.

    Raises `Channel.DoesNotExist` where it was deleted meanwhile.
    """
    return lock_channel(channel.pk) if request.method == "POST" else channel


def crumbs_of(channel: Channel | None = None) -> Crumbs:
    """The way to the list of channels, or to this one."""
    own = [(channel.name, address_of(channel))] if channel else []
    return crumbs("integrations", "channels_app_channel_changelist", *own)


def action_page(
    request: HttpRequest, channel: Channel, template: str, *, title: str, **context: Any
) -> TemplateResponse:
    """A page below that of a channel: `template` gets `channel`, and in `back` the address of its page."""
    return page(
        request, template, title=title, crumbs=crumbs_of(channel), channel=channel, back=address_of(channel), **context
    )


def redirect_to(channel: Channel) -> HttpResponse:
    return redirect(address_of(channel))


def show_secret_once(request: HttpRequest, channel: Channel) -> None:
    """The next time that this person opens the channel's page, it shows the secret."""
    request.session[NEW_SECRET] = channel.pk


def event_types_of(channel: Channel) -> list[tuple[str, str]]:
    """Keys and labels of those that a channel of this kind may hear of."""
    return [(each.key, each.label) for each in EVENT_TYPES.values() if channel.kind in each.kinds]


def channel_label(channel: Channel) -> str:
    """A channel among others to choose from."""
    paused = ", paused" if channel.paused_at else ""
    return f"{channel.name} ({kind_label(channel.kind)}, {channel.short_address}{paused})"


def answered_by(channel: Channel) -> str:
    """The party that answers an attempt, within a sentence: `the receiver`."""
    return TRANSPORTS[channel.kind].answered_by if channel.kind in TRANSPORTS else Transport.answered_by
