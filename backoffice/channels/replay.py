"""Sending again what failed on a channel: counted first, then confirmed."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from backoffice.channels.forms import ReplayForm
from backoffice.channels.pages import crumbs, of_channel, page, to, url_of
from channels_app.models import Channel
from notifications.display import number
from notifications.errors import Conflict
from notifications.replay import start_replay


@require_http_methods(["GET", "POST"])
@of_channel("change")
def replay(request: HttpRequest, channel: Channel) -> HttpResponse:
    """GET asks since when; the answer to the POST is the count with the button that sends (`confirmed`)."""
    asked = request.POST if request.method == "POST" else None
    form = ReplayForm(asked, initial={"since": timezone.localtime() - timedelta(days=1)})
    if not form.is_valid():
        return _page(request, channel, "replay", form=form)
    sure = "confirmed" in request.POST
    by = request.user.get_username()
    try:
        job = start_replay(channel_id=channel.pk, since=form.cleaned_data["since"], dry_run=not sure, by=by)
    except Conflict as refused:
        messages.error(request, f"Nothing was sent. {refused}")
        return to(channel)
    if not sure:
        return _page(request, channel, "replay_count", form=form, count=_failed(job.count), any=job.count > 0)
    if job.count:
        messages.success(request, f"{_failed(job.count)} will be sent again, a few at a time.")
    else:
        messages.info(request, f"Nothing failed on {channel.name} since then, so nothing is sent again.")
    return to(channel)


def _page(request: HttpRequest, channel: Channel, template: str, **context: object) -> HttpResponse:
    return page(
        request,
        template,
        title=f"Replay to {channel.name}",
        crumbs=crumbs(channel),
        channel=channel,
        back=url_of(channel),
        **context,
    )


def _failed(count: int) -> str:
    return "1 failed delivery" if count == 1 else f"{number(count)} failed deliveries"
