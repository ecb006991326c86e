"""Pausing, resuming and deleting a channel."""

from django.contrib import messages
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from backoffice.channels.condition import facts_of, waiting
from backoffice.channels.forms import PauseForm
from backoffice.channels.pages import crumbs, locked_if_sent, of_channel, page, to, url_of
from backoffice.shown import in_a_sentence
from channels_app.models import Channel
from notifications import services
from notifications.models import EventChannel


@require_http_methods(["GET", "POST"])
@of_channel("change")
@atomic
def pause(request: HttpRequest, channel: Channel) -> HttpResponse:
    """GET asks for the reason."""
    channel = locked_if_sent(request, channel)
    form = PauseForm(request.POST if request.method == "POST" else None)
    facts = facts_of(channel)
    meanwhile = [] if channel.paused_at else facts.changes(request.POST)
    if request.method == "POST" and form.is_valid() and not meanwhile:
        name = request.user.get_username()
        reason = form.cleaned_data["reason"] or f"Paused by {name}."
        was_paused = channel.paused_at
        channel = services.pause_channel(channel_id=channel.pk, reason=reason, by=name)
        if was_paused:
            messages.info(request, f"{channel.name} was paused already. Its reason stays: {channel.pause_reason}")
        else:
            messages.success(request, f"{channel.name} was paused. Its deliveries are held until it is resumed.")
        return to(channel)
    return page(
        request,
        "pause",
        title=f"Pause {channel.name}?",
        crumbs=crumbs(channel),
        channel=channel,
        form=form,
        facts=facts,
        meanwhile=meanwhile,
        back=url_of(channel),
    )


@of_channel("change")
@atomic
def resume(request: HttpRequest, channel: Channel) -> HttpResponse:
    channel = locked_if_sent(request, channel)
    was_paused, held = channel.paused_at, waiting(channel)
    if was_paused and (meanwhile := facts_of(channel).changes(request.POST)):
        messages.error(request, in_a_sentence(meanwhile, f"{channel.name} was not resumed."))
        return to(channel)
    services.resume_channel(channel_id=channel.pk, by=request.user.get_username())
    if not was_paused:
        messages.info(request, f"{channel.name} was not paused.")
    elif held:
        messages.success(request, f"{channel.name} was resumed. What was held goes out now: {held}.")
    else:
        messages.success(request, f"{channel.name} was resumed. Nothing was held.")
    return to(channel)


@require_http_methods(["GET", "POST"])
@of_channel("delete")
@atomic
def delete(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Asks first: GET shows the question, POST is the answer."""
    channel = locked_if_sent(request, channel)
    facts = facts_of(channel)
    meanwhile = facts.changes(request.POST)
    if request.method == "POST" and not meanwhile:
        services.archive_channel(channel_id=channel.pk, by=request.user.get_username())
        messages.success(request, f"{channel.name} was deleted. The delivery log keeps what was sent to it.")
        return redirect("admin:channels_app_channel_changelist")
    return page(
        request,
        "delete",
        title=f"Delete {channel.name}?",
        crumbs=crumbs(channel),
        channel=channel,
        attached=EventChannel.objects.filter(channel=channel).count(),
        waiting=waiting(channel),
        facts=facts,
        meanwhile=meanwhile,
        back=url_of(channel),
    )
