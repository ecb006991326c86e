"""Why a channel was, or was not, notified of an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from backoffice.orders.postbacks import Tally
from notifications.display import event_label
from notifications.models import Event
from orders.models import Order

OCCURRENCES_SHOWN = 50
_NOBODY = "No channel was to hear of this order"


@dataclass(frozen=True)
class Route:
    """What became of an event at one channel that was attached to its type, in words."""

    channel: str
    words: str
    delivery: str | None


@dataclass(frozen=True)
class Occurrence:
    """One event of an order, and what became of it."""

    event: Event

    @property
    def label(self) -> str:
        return event_label(self.event.type)

    @property
    def routes(self) -> list[Route]:
        words = dict(Event.RoutingOutcome.choices)
        return [
            Route(route["name"], words.get(route["outcome"], route["outcome"]), route["delivery"])
            for route in self.event.routing
        ]


def occurrences_of(order: Order) -> list[Occurrence]:
    """The newest `OCCURRENCES_SHOWN`, newest first, in one query. Without their bodies, which may be large."""
    events = Event.objects.filter(order=order).defer("body", "facts").order_by("-pk")
    return [Occurrence(event) for event in events[:OCCURRENCES_SHOWN]]


def answer_at_a_glance(order: Order, tally: Tally, occurrences: Sequence[Occurrence]) -> str:
    """Did the customer's systems hear of this order, and if not, why? In one or two sentences."""
    if tally.total:
        return tally.sentence
    if occurrences:
        return f"{_NOBODY}: {_why_nobody(order, occurrences)}."
    if order.created_at < timezone.now() - timedelta(days=settings.RETENTION_DAYS):
        return f"Nothing is kept of the postbacks of this order: they are deleted after {settings.RETENTION_DAYS} days."
    return "Nothing has happened yet that channels are told of."


def _why_nobody(order: Order, occurrences: Sequence[Occurrence]) -> str:
    outcomes = {route["outcome"] for occurrence in occurrences for route in occurrence.event.routing}
    if not outcomes:
        return "none is attached to what happened"
    if outcomes == {Event.RoutingOutcome.EVENT_DISABLED}:
        return "the event types were turned off"
    if outcomes == {Event.RoutingOutcome.SOURCE_NOT_CHOSEN}:
        return f"none that is attached listens to the source {order.get_source_display()}"
    return "the reasons stand below, event by event"
