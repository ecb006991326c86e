"""The pages of events: what happened, and in words what became of it at each channel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from backoffice.frame import crumbs, page
from backoffice.notifications.filters import EventFilters
from backoffice.notifications.log_admin import LogAdmin
from notifications.display import counted, pretty_json
from notifications.events import event_label
from notifications.models import EVENT_TEXTS, TEST_EVENT_PREFIX, Delivery, Event, EventChannel, EventTypeSwitch
from notifications.services import retry_refused_because
from orders.models import Source

Outcome = Event.RoutingOutcome


@dataclass(frozen=True)
class Explained:
    """One channel: whether an event was sent to it, in full sentences.

    `outcome` is a `RoutingOutcome`; "not_attached" for a channel that was attached after the event; or "nobody", with
    neither channel nor delivery, where none was attached then. `attached` says whether the channel is attached to the
    event type now, so that its sources can be edited.
    """

    channel_id: str
    channel_name: str
    outcome: str
    sentence: str
    delivery: Delivery | None
    attached: bool


def explain(event: Event) -> list[Explained]:
    """Each channel that was attached then, in the order of attaching, and those attached since; never empty.

    Three queries.
    """
    return explain_all([event])[event.pk]


def explain_all(events: Iterable[Event]) -> dict[str, list[Explained]]:
    """`explain` for each of these events, by the event's id. Three queries, however many events."""
    events = list(events)
    types = {event.type for event in events}
    deliveries = {
        delivery.pk: delivery
        for delivery in Delivery.objects.select_related("channel", "event").defer(*EVENT_TEXTS).filter(event__in=events)
    }
    on = set(EventTypeSwitch.objects.filter(event_type__in=types, enabled=True).values_list("pk", flat=True))
    attached: dict[str, dict[str, EventChannel]] = {key: {} for key in types}
    for attachment in EventChannel.objects.filter(event_type__in=types).select_related("channel").order_by("pk"):
        attached[attachment.event_type][attachment.channel_id] = attachment
    return {event.pk: _explain(event, deliveries, attached[event.type], on=event.type in on) for event in events}


def _explain(
    event: Event, deliveries: dict[str, Delivery], attached: dict[str, EventChannel], *, on: bool
) -> list[Explained]:
    label = event_label(event.type)
    explained = []
    if not event.routing:
        nobody = f"Nobody was told: no channel was attached to {label} at that time."
        explained.append(Explained("", "", "nobody", nobody, None, attached=False))
    for route in event.routing:
        channel_id, name, outcome = route["channel"], route["name"], route["outcome"]
        delivery = deliveries.get(route["delivery"] or "")
        attachment = attached.get(channel_id)
        if route["delivery"]:
            sentence = _of_delivery(name, delivery)
        elif outcome == Outcome.EVENT_DISABLED:
            sentence = f"{name} was not told: {label} was turned off at that time. {_switch(on)}"
        elif outcome == Outcome.SOURCE_NOT_CHOSEN:
            source = event.get_source_display()
            sentence = f"{name} was not told: it did not listen to the source {source}. {_sources(event, attachment)}"
        else:
            sentence = f"{name} was not told: {label} goes to postback channels only."
        explained.append(Explained(channel_id, name, outcome, sentence, delivery, attachment is not None))
    if event.pk.startswith(TEST_EVENT_PREFIX):
        return explained
    routed = {route["channel"] for route in event.routing}
    later = [attachment for channel_id, attachment in attached.items() if channel_id not in routed]
    return explained + [
        Explained(
            attachment.channel_id,
            attachment.channel.name,
            "not_attached",
            f"{attachment.channel.name} was not told: it was attached to {label} only afterwards. "
            "What happened before is not sent.",
            None,
            attached=True,
        )
        for attachment in later
    ]


def _of_delivery(name: str, delivery: Delivery | None) -> str:
    if delivery is None:
        return f"{name} had a delivery, which is no longer kept."
    if delivery.status == Delivery.Status.SUCCEEDED:
        answer = f" and answered {delivery.status_code}" if delivery.status_code else ""
        return f"{name} was told{answer}."
    if delivery.status == Delivery.Status.FAILED:
        why = delivery.error or "the delivery failed."
        retry = "" if retry_refused_because(delivery) else " Open the delivery to retry it."
        return f"{name} was not reached: {why[0].lower()}{why[1:]}{retry}"
    if delivery.in_flight:
        return f"{name} is being told right now."
    if delivery.shown_status == "held":
        return f"{name} has not been told yet: the channel is paused. It will be once somebody resumes the channel."
    if delivery.attempts_made:
        made = counted(delivery.attempts_made, "attempt")
        return f"{name} has not been reached yet: {made} failed so far, and it is tried again."
    return f"{name} has not been told yet: the delivery is waiting to be sent."


def _switch(on: bool) -> str:
    return "It is on now, for what happens from now on." if on else "It is still off: turn it on to have channels told."


def _sources(event: Event, attachment: EventChannel | None) -> str:
    if attachment is None:
        return "It is no longer attached."
    if event.source in attachment.sources:
        return "It does now, for what happens from now on."
    chosen = " and ".join(str(Source(source).label) for source in attachment.sources)
    return f"It listens to {chosen} only: edit its sources to have it told."


@admin.register(Event)
class EventAdmin(LogAdmin):
    """An event is recorded by what happens, and stays."""

    log_title = "Events"
    filters = EventFilters
    log_template = "notifications/event_log.html"

    def shown(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        return rows.select_related("order", "contact").defer("body", "facts")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            event = Event.objects.select_related("order", "contact").get(pk=unquote(object_id))
        except Event.DoesNotExist as error:
            raise Http404("There is no such event.") from error
        explained = explain(event)
        return page(
            request,
            "notifications/event.html",
            title=event_label(event.type),
            crumbs=crumbs("notifications_event_changelist"),
            event=event,
            body=pretty_json(event.body),
            explained=explained,
            has_deliveries=any(each.delivery for each in explained),
        )
