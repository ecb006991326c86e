"""Sending a test, and its answer as it arrives."""

from datetime import timedelta
from typing import Literal

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from backoffice.channels import detail
from backoffice.channels.forms import TestForm
from backoffice.channels.pages import answered_by, event_types_of, of_channel
from backoffice.frame import address_of, done, may, unless_seen
from channels_app.models import Channel
from channels_app.transports import takes
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery

# After so long without a worker taking it, something is wrong.
PATIENCE = timedelta(seconds=20)

Progress = Literal["waiting", "late", "sending", "settled"]


@of_channel("change")
def send(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Answers htmx with a fragment that follows the delivery; without scripts the delivery's page does."""
    form = TestForm(request.POST, event_types=event_types_of(channel))
    if not form.is_valid():
        return detail.show(request, channel, test_form=form)
    event_type = EVENT_TYPES[form.cleaned_data["event_type"]]
    delivery = services.send_test(channel_id=channel.pk, event_type=event_type, by=request.user.get_username())
    if "HX-Request" in request.headers:
        return done(_progress(request, channel, delivery))
    messages.success(request, "A test is being sent. Its answer appears here.")
    return redirect(address_of(delivery))


@of_channel("view")
def answer(request: HttpRequest, channel: Channel, delivery_id: str) -> HttpResponse:
    """How far a test has come; nothing (204) while that is what `?seen=` says."""
    if not may(request, "notifications.view_delivery"):
        raise PermissionDenied
    try:
        delivery = Delivery.objects.get(pk=delivery_id, channel=channel)
    except Delivery.DoesNotExist as error:
        raise Http404("There is no such delivery.") from error
    return unless_seen(request, progress_of(delivery), lambda: _progress(request, channel, delivery))


def progress_of(delivery: Delivery) -> Progress:
    """How far a test is; "late" where no worker has taken it within `PATIENCE`."""
    if delivery.status != Delivery.Status.PENDING:
        return "settled"
    if delivery.in_flight:
        return "sending"
    return "late" if timezone.now() - delivery.created_at > PATIENCE else "waiting"


def _progress(request: HttpRequest, channel: Channel, delivery: Delivery) -> HttpResponse:
    progress = progress_of(delivery)
    context = {
        "channel": channel,
        "delivery": delivery,
        "progress": progress,
        "takes": takes(channel.kind),
        "answered_by": answered_by(channel),
        "attempt": delivery.attempts.order_by("-number").first() if progress == "settled" else None,
    }
    response = TemplateResponse(request, "channels_app/test_answer.html", context)
    if progress == "settled":
        response["HX-Trigger"] = "ui-test-settled"  # the lists further down are then fetched again
    return response
