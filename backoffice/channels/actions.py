"""Pausing, resuming, deleting and replaying a channel."""

from datetime import timedelta

from django.contrib import messages
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from backoffice.channels.forms import PauseForm, ReplayForm
from backoffice.channels.health import facts_of, waiting
from backoffice.channels.pages import action_page, locked_if_sent, of_channel, redirect_to
from backoffice.stale_pages import in_a_sentence
from channels_app.models import Channel
from notifications import services
from notifications.display import counted
from notifications.errors import Conflict
from notifications.models import EventChannel
from notifications.replay import start_replay


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
        return redirect_to(channel)
    title = f"Pause {channel.name}?"
    return action_page(
        request, channel, "channels_app/pause.html", title=title, form=form, facts=facts, meanwhile=meanwhile
    )


@of_channel("change")
@atomic
def resume(request: HttpRequest, channel: Channel) -> HttpResponse:
    channel = locked_if_sent(request, channel)
    was_paused, held = channel.paused_at, waiting(channel)
    if was_paused and (meanwhile := facts_of(channel).changes(request.POST)):
        messages.error(request, in_a_sentence(meanwhile, f"{channel.name} was not resumed."))
        return redirect_to(channel)
    services.resume_channel(channel_id=channel.pk, by=request.user.get_username())
    if not was_paused:
        messages.info(request, f"{channel.name} was not paused.")
    elif held:
        messages.success(request, f"{channel.name} was resumed. What was held goes out now: {held}.")
    else:
        messages.success(request, f"{channel.name} was resumed. Nothing was held.")
    return redirect_to(channel)


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
    return action_page(
        request,
        channel,
        "channels_app/delete.html",
        title=f"Delete {channel.name}?",
        attached=EventChannel.objects.filter(channel=channel).count(),
        waiting=waiting(channel),
        facts=facts,
        meanwhile=meanwhile,
    )


@require_http_methods(["GET", "POST"])
@of_channel("change")
def replay(request: HttpRequest, channel: Channel) -> HttpResponse:
    """GET asks since when; the answer to the POST is the count with the button that sends (`confirmed`)."""
    asked = request.POST if request.method == "POST" else None
    form = ReplayForm(asked, initial={"since": timezone.localtime() - timedelta(days=1)})
    title = f"Replay to {channel.name}"
    if not form.is_valid():
        return action_page(request, channel, "channels_app/replay.html", title=title, form=form)
    sure = "confirmed" in request.POST
    by = request.user.get_username()
    try:
        job = start_replay(channel_id=channel.pk, since=form.cleaned_data["since"], dry_run=not sure, by=by)
    except Conflict as refused:
        messages.error(request, f"Nothing was sent. {refused}")
        return redirect_to(channel)
    failed = counted(job.count, "failed delivery", grouped=True)
    if not sure:
        return action_page(
            request,
            channel,
            "channels_app/replay_count.html",
            title=title,
            form=form,
            count=failed,
            any=job.count > 0,
        )
    if job.count:
        messages.success(request, f"{failed} will be sent again, a few at a time.")
    else:
        messages.info(request, f"Nothing failed on {channel.name} since then, so nothing is sent again.")
    return redirect_to(channel)
