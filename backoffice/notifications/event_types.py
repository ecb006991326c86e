"""System notifications: the event types with their switches, and the page of each."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from backoffice.frame import crumbs, may, page
from backoffice.stale_pages import Facts, in_a_sentence
from channels_app.transports import kind_label
from notifications import services, stats
from notifications.display import counted, exact_time
from notifications.events import EVENT_TYPES, EventType
from notifications.models import ChannelHealth, EventChannel, EventTypeSwitch, HistoryEntry
from orders.models import Source

HISTORY_SHOWN = 20


def find_event_type(key: str) -> EventType:
    """The event type of a URL. Raises `Http404`."""
    try:
        return EVENT_TYPES[key]
    except KeyError as error:
        raise Http404("There is no such event type.") from error


@require_GET
@permission_required("notifications.view_eventtypeswitch", raise_exception=True)
def system_notifications(request: HttpRequest) -> HttpResponse:
    switches = EventTypeSwitch.objects.in_bulk()
    attached = dict(EventChannel.objects.order_by().values_list("event_type").annotate(Count("id")))
    rows = [
        {
            "event_type": each,
            "switch": switches.get(each.key),
            "facts": switch_facts(each, switches.get(each.key)),
            "attached": attached.get(each.key, 0),
        }
        for each in EVENT_TYPES.values()
    ]
    return page(
        request,
        "notifications/system_notifications.html",
        title="System notifications",
        crumbs=crumbs("integrations"),
        rows=rows,
        may_switch=may(request, "notifications.change_eventtypeswitch"),
        # The name leads to the event type's page, which is for those who may see what is attached.
        may_open=may(request, "notifications.view_eventchannel"),
    )


@require_POST
@permission_required("notifications.change_eventtypeswitch", raise_exception=True)
def switch(request: HttpRequest, key: str) -> HttpResponse:
    """Set an event type to what `enabled` says; not "the other way round", or two people at once undo each other.

    With `from=event_type` it leads back to that event type's page, otherwise to the list.
    """
    event_type = find_event_type(key)
    wanted = {"true": True, "false": False}.get(request.POST.get("enabled", ""))
    if wanted is None:
        return HttpResponseBadRequest("enabled must be true or false.")
    with atomic():
        now = EventTypeSwitch.objects.select_for_update(no_key=True).filter(event_type=key).first()
        meanwhile = switch_facts(event_type, now).changes(request.POST)
        if meanwhile and now and now.enabled == wanted:
            state = "on" if wanted else "off"
            messages.info(request, f"{event_type.label} was {state} already: {_turned(now)}. Nothing was changed.")
        elif meanwhile:
            messages.error(request, in_a_sentence(meanwhile))
        else:
            services.set_event_type_enabled(event_type=event_type, enabled=wanted, by=request.user.get_username())
            messages.success(request, _switched(event_type, on=wanted))
    if request.POST.get("from") == "event_type":
        return redirect("admin:event_type", key)
    return redirect("admin:system_notifications")


def switch_facts(event_type: EventType, switch: EventTypeSwitch | None) -> Facts:
    """The facts that a page shows beside the switch of an event type."""
    return Facts(f"switch {event_type.key}", {event_type.label: _turned(switch) if switch else "never turned on"})


def _turned(switch: EventTypeSwitch) -> str:
    on = "on" if switch.enabled else "off"
    return f"turned {on} by {switch.changed_by}, {exact_time(switch.changed_at)}"


def _switched(event_type: EventType, *, on: bool) -> str:
    if not on:
        return (
            f"{event_type.label} was turned off. Nothing new is sent; what is recorded already still goes out. "
            "Turn it on again to undo this."
        )
    attached = EventChannel.objects.filter(event_type=event_type.key).count()
    if not attached:
        return f"{event_type.label} was turned on. No channel is attached to it yet: open it to attach one."
    return f"{event_type.label} was turned on. {counted(attached, 'channel')} will be told of what happens from now on."


@require_GET
@permission_required("notifications.view_eventchannel", raise_exception=True)
def event_type_page(request: HttpRequest, key: str) -> HttpResponse:
    event_type = find_event_type(key)
    may_read_history = may(request, "notifications.view_historyentry")
    now = EventTypeSwitch.objects.filter(event_type=key).first()
    return page(
        request,
        "notifications/event_type.html",
        title=event_type.label,
        crumbs=crumbs("integrations", "system_notifications"),
        event_type=event_type,
        switch=now,
        facts=switch_facts(event_type, now),
        rows=_attached(key),
        history=list(HistoryEntry.objects.filter(event_type=key)[:HISTORY_SHOWN]) if may_read_history else [],
    )


def _attached(key: str) -> list[dict[str, Any]]:
    """The channels attached, in the order in which they were, with how each has been doing. Two queries."""
    sources = dict(Source.choices)
    attachments = list(
        EventChannel.objects.filter(event_type=key).select_related("channel", "channel__health").order_by("id")
    )
    summaries = stats.channel_summaries([attachment.channel_id for attachment in attachments])
    return [
        {
            "channel": attachment.channel,
            "kind": kind_label(attachment.channel.kind),
            "sources": [sources[source] for source in attachment.sources],
            "health": ChannelHealth.of(attachment.channel),
            "summary": summaries[attachment.channel_id],
        }
        for attachment in attachments
    ]
