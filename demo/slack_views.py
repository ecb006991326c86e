"""The demo's receivers in Slack's shape, and the page that shows what reached them. Mounted in demo mode only."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from demo import slack
from demo.blocks import blocks_of
from demo.models import SlackMessage
from demo.pages import list_context, staff_only, whole_body


@csrf_exempt
@require_POST
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Take a message from anybody who can reach us and answer as Slack does; 413 above 256 KiB."""
    body = whole_body(request)
    status, text = (413, "too_large") if body is None else slack.take_message(receiver=name, body=body)
    return HttpResponse(text, status=status, content_type="text/plain")


@staff_only
@never_cache
@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    """The messages that arrived, newest first."""
    context = list_context(request, SlackMessage.objects.all(), kept=slack.KEPT)
    shown = [(message, blocks_of(message.body)) for message in context["page"]]
    return render(request, "demo/messages.html", {**context, "messages": shown})
