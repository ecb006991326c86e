"""Revealing what is secret about a channel, and giving it a new signing secret."""

from datetime import timedelta

from django.contrib import messages
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from backoffice.channels import detail
from backoffice.channels.forms import RotateForm
from backoffice.channels.health import facts_of
from backoffice.channels.pages import action_page, locked_if_sent, of_channel, redirect_to, show_secret_once
from channels_app.models import Channel
from channels_app.transports import takes
from notifications import services
from notifications.database_time import database_now
from notifications.errors import Conflict

OVERLAP = timedelta(hours=24)


@of_channel("change")
def reveal(request: HttpRequest, channel: Channel) -> HttpResponse:
    """The channel with its secret and its headers' values, or its secret URL, in the answer to this POST alone."""
    wanted = takes(channel.kind)
    if not (wanted.signing_secret or wanted.headers or wanted.secret_url):
        raise Http404("Nothing about channels of this kind is secret.")
    services.reveal_secret(channel_id=channel.pk, by=request.user.get_username())
    return detail.show(request, channel, revealed=True)


@require_http_methods(["GET", "POST"])
@of_channel("change")
@atomic
def rotate(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Asks first what becomes of the old secret."""
    channel = locked_if_sent(request, channel)
    if not takes(channel.kind).signing_secret:
        raise Http404("Channels of this kind have no signing secret.")
    form = RotateForm(request.POST if request.method == "POST" else None)
    facts = facts_of(channel)
    meanwhile = facts.changes(request.POST)
    if request.method == "POST" and form.is_valid() and not meanwhile:
        overlap = OVERLAP if form.cleaned_data["overlap"] == "24h" else timedelta()
        try:
            services.rotate_secret(channel_id=channel.pk, overlap=overlap, by=request.user.get_username())
        except Conflict as error:
            form.add_error("overlap", str(error))
        else:
            both_sign = overlap and channel.readable_secret is not None
            old = "The old one signs as well for 24 hours." if both_sign else "The old one signs no more."
            messages.success(request, f"{channel.name} has a new secret. It is shown below, and later by Reveal. {old}")
            show_secret_once(request, channel)
            return redirect_to(channel)
    return action_page(
        request,
        channel,
        "channels_app/rotate.html",
        title=f"Give {channel.name} a new secret?",
        form=form,
        before=len(channel.secrets_before(database_now())),
        facts=facts,
        meanwhile=meanwhile,
    )


@require_http_methods(["GET", "POST"])
@of_channel("change")
def end(request: HttpRequest, channel: Channel, key: str) -> HttpResponse:
    """Asks first: GET shows the question, POST ends an earlier secret. `key` is that of `EarlierSecret`."""
    found = next((each for each in channel.secrets_before(database_now()) if each.key == key), None)
    ended = None
    if request.method == "POST":
        ended = services.end_secret(channel_id=channel.pk, key=key, by=request.user.get_username())
    elif found is not None:
        title = f"End an earlier secret of {channel.name}?"
        return action_page(request, channel, "channels_app/end_secret.html", title=title, earlier=found)
    if ended is not None:
        messages.success(request, f"The earlier secret was ended. It signs nothing of {channel.name} any more.")
    else:
        messages.info(request, "That earlier secret has ended already.")
    return redirect_to(channel)
