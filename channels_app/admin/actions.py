"""Pausing, resuming and deleting a channel."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from channels_app.admin.condition import waiting
from channels_app.admin.pages import crumbs, of_channel, page, to, url_of
from channels_app.forms import PauseForm
from channels_app.models import Channel
from notifications import services
from notifications.models import EventChannel


@require_http_methods(["GET", "POST"])
@of_channel("change")
def pause(request: HttpRequest, channel: Channel) -> HttpResponse:
    """GET asks for the reason."""
    form = PauseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
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
        back=url_of(channel),
    )


@of_channel("change")
def resume(request: HttpRequest, channel: Channel) -> HttpResponse:
    was_paused, held = channel.paused_at, waiting(channel)
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
def delete(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Asks first: GET shows the question, POST is the answer."""
    if request.method == "POST":
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
        back=url_of(channel),
    )
