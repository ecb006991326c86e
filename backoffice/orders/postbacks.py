"""The postbacks of an order: what was sent to each channel or why not, and the manual retry."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from backoffice.frame import look_again_after
from notifications.display import counted
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES, event_label
from notifications.models import EVENT_TEXTS, IS_HELD, Delivery, Event
from notifications.services import retry_delivery, retry_refused_because
from orders.models import Contact, Order

POSTBACKS_SHOWN = 200
RETRYABLE = [event_type.key for event_type in EVENT_TYPES.values() if event_type.manual_retry]
# How often a row that is not settled looks again while nothing is about to happen.
LATER_SECONDS = 20


@dataclass(frozen=True)
class Postback:
    """One delivery as the order's page shows it."""

    delivery: Delivery

    @property
    def label(self) -> str:
        return event_label(self.delivery.event_type)

    @property
    def name(self) -> str:
        return f"{self.label} to {self.delivery.channel}"

    @property
    def status(self) -> str:
        return self.delivery.shown_status

    @property
    def settled(self) -> bool:
        return self.delivery.status != Delivery.Status.PENDING

    @property
    def answer(self) -> str:
        """The answer's status code, else what the latest attempt came to, "" before the first one ended."""
        if self.delivery.status_code is not None:
            return str(self.delivery.status_code)
        return self.delivery.get_outcome_display()

    @property
    def error(self) -> str:
        return self.delivery.error if self.delivery.status == Delivery.Status.FAILED else ""

    @property
    def refused_because(self) -> str | None:
        return retry_refused_because(self.delivery)

    @property
    def poll(self) -> str:
        """How often its row asks how it stands, as htmx writes it; "" once it is settled."""
        seconds = look_again_after(self.delivery, later=LATER_SECONDS)
        return f"every {seconds}s" if seconds else ""

    @property
    def announcement(self) -> str:
        """The sentence for a screen reader when the delivery settles."""
        came_to = f" with answer {self.answer}" if self.answer else ""
        return f"{self.name}: {self.status}{came_to}."


@dataclass(frozen=True)
class Tally:
    """How the deliveries of an order stand, counted."""

    total: int
    succeeded: int
    failed: int
    held: int

    @property
    def sentence(self) -> str:
        waiting = self.total - self.succeeded - self.failed - self.held
        parts = [f"{self.succeeded} of {counted(self.total, 'postback')} delivered"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{waiting} on the way"] if waiting else []
        parts += [f"{self.held} held until the channel is resumed"] if self.held else []
        return f"{', '.join(parts)}."


def postbacks_of(order: Order) -> list[Postback]:
    """The newest `POSTBACKS_SHOWN`, newest first, in one query."""
    return [Postback(delivery) for delivery in _deliveries().filter(event__order=order)[:POSTBACKS_SHOWN]]


def postback_of(order: Order, delivery_id: str) -> Postback:
    """One of them. Raises `Http404`, also for a delivery of another order."""
    return Postback(get_object_or_404(_deliveries(), event__order=order, pk=delivery_id))


def tally_of(order: Order) -> Tally:
    """Counts the deliveries of an order, by their status."""
    counts: dict[str, Any] = Delivery.objects.filter(event__order=order).aggregate(
        total=Count("pk"),
        succeeded=Count("pk", filter=Q(status=Delivery.Status.SUCCEEDED)),
        failed=Count("pk", filter=Q(status=Delivery.Status.FAILED)),
        held=Count("pk", filter=IS_HELD),
    )
    return Tally(**counts)


def retry_one(order: Order, delivery_id: str, *, by: str) -> tuple[int, str]:
    """Retry a delivery of this order. Returns a sentence that says so, or why not, and the level of the message.

    Where it is no longer failed, nothing is wrong: the button was clicked twice, or another user was faster. Raises
    `Http404`, also for a delivery of another order.
    """
    name = postback_of(order, delivery_id).name
    try:
        retry_delivery(delivery_id=delivery_id, by=by)
    except Conflict as refusal:
        failed = postback_of(order, delivery_id).delivery.status == Delivery.Status.FAILED
        level = messages.ERROR if failed else messages.INFO
        return level, f"{name} was not retried{'' if failed else ' again'}. {refusal}"
    return messages.SUCCESS, f"Retry of {name}: it is being sent."


def retry_failed(orders: QuerySet[Order], *, by: str) -> tuple[int, Counter[str]]:
    """Retry every failed delivery of these orders whose event type has a manual retry, oldest first.

    Returns how many are being sent again, and how many were refused for each reason.
    """
    failed = Delivery.objects.filter(
        event__order__in=orders.order_by().values("pk"), status=Delivery.Status.FAILED, event_type__in=RETRYABLE
    )
    retried, refused = 0, Counter[str]()
    for delivery_id in list(failed.order_by("pk").values_list("pk", flat=True)):
        try:
            retry_delivery(delivery_id=delivery_id, by=by)
        except Conflict as refusal:
            refused[str(refusal)] += 1
        else:
            retried += 1
    return retried, refused


def newest_postback(about: Order) -> str:
    """The id of the newest delivery of an order, "" where there is none: what `notified` is asked to look beyond."""
    return _about(about).values_list("pk", flat=True).first() or ""


def notified(about: Order | Contact, *, after: str = "") -> str:
    """Says how many notifications of an order or a contact are newer than the one with this id.

    Begins with a space, so that it can follow another sentence; "" where none is newer.
    """
    new = _about(about).filter(pk__gt=after).aggregate(all=Count("pk"), held=Count("pk", filter=IS_HELD))
    sent, held = new["all"] - new["held"], new["held"]
    said = f" {sent} notification{' is' if sent == 1 else 's are'} being sent." if sent else ""
    if held:
        said += f" {held} notification{' is' if held == 1 else 's are'} held until the channel is resumed."
    return said


def _about(about: Order | Contact) -> QuerySet[Delivery]:
    concerns = {"event__order": about} if isinstance(about, Order) else {"event__contact": about}
    return Delivery.objects.filter(**concerns).order_by("-pk")


def _deliveries() -> QuerySet[Delivery]:
    return Delivery.objects.select_related("channel", "event").defer(*EVENT_TEXTS).order_by("-pk")


OCCURRENCES_SHOWN = 50
_NOBODY = "No channel was to hear of this order"


@dataclass(frozen=True)
class Route:
    """The routing of an event to one channel that was attached to its type, in words."""

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
