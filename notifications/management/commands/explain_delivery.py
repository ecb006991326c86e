"""`manage.py explain_delivery`: follows one delivery from its event to its next step."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from channels_app.transports import kind_label
from notifications.database_time import database_now
from notifications.models import Delivery, DeliveryAttempt, Event
from notifications.next_steps import next_steps, utc


class Command(BaseCommand):
    help = (
        "Follows one delivery: its event, the event's routing, the delivery, its attempts, what comes next and why. "
        "Reads only. Shows neither secrets nor headers nor bodies."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("delivery_id", metavar="DELIVERY", help="its id, such as dlv_01h455vb4pex5vsknk084sn02q")

    def handle(self, *args: Any, delivery_id: str, **options: Any) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
            for line in _report(_found(delivery_id)):
                self.stdout.write(_printable(line))


def _found(delivery_id: str) -> Delivery:
    deliveries = Delivery.objects.select_related("event__order", "event__contact", "channel__health")
    try:
        return deliveries.get(pk=delivery_id)
    except Delivery.DoesNotExist as error:
        raise CommandError(f"There is no delivery {delivery_id}. It may have been purged with its event.") from error


def _printable(line: str) -> str:
    """Drop what would steer a terminal: some of the words are a receiver's."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)


def _report(delivery: Delivery) -> Iterator[str]:
    yield from _event(delivery.event)
    yield ""
    yield from _routing(delivery)
    yield ""
    yield from _delivery(delivery)
    yield ""
    yield "Attempts"
    attempts = list(delivery.attempts.all())
    for attempt in attempts:
        attempt.delivery = delivery  # spares a query of each
        yield from _attempt(attempt)
    if not attempts:
        yield "  none yet"
    yield ""
    yield "Next"
    for sentence in next_steps(delivery, now=database_now()):
        yield f"  {sentence}"


def _event(event: Event) -> Iterator[str]:
    yield f"Event {event.pk}"
    yield f"  type      {event.type}"
    yield f"  source    {event.source}"
    yield f"  recorded  {utc(event.created_at)}"
    if event.order:
        yield f"  order     {event.order.number}"
    if event.contact_id:
        yield f"  contact   {event.contact_id}"
    if event.request_id:
        yield f"  request   {event.request_id}"
    built = "not built" if event.body is None else f"{len(event.body.encode())} bytes"
    yield f"  body      {built}{', erased' if event.erased_at else ''}"


def _routing(delivery: Delivery) -> Iterator[str]:
    yield "Routing (channels attached to the event type when the event was recorded)"
    for route in delivery.event.routing:
        outcome = Event.RoutingOutcome(route["outcome"])
        made = f", {route['delivery']}" if route["delivery"] else ""
        here = "  <- this delivery" if route["delivery"] == delivery.pk else ""
        yield f"  {route['channel']}  {route['name']}  {outcome.value}: {outcome.label}{made}{here}"
    if not delivery.event.routing:
        yield "  none"


def _delivery(delivery: Delivery) -> Iterator[str]:
    channel = delivery.channel
    yield f"Delivery {delivery.pk}"
    yield f"  channel   {channel.pk}  {channel.name} ({kind_label(channel.kind)}, {channel.status})"
    yield f"  address   {channel.address}"
    yield f"  status    {delivery.shown_status}{', in flight' if delivery.in_flight else ''}"
    if delivery.outcome:
        code = f" {delivery.status_code}" if delivery.status_code else ""
        yield f"  outcome   {delivery.outcome}{code}"
    if delivery.error:
        yield f"  error     {delivery.error}"
    yield f"  recorded  {utc(delivery.created_at)}"
    if delivery.finished_at:
        yield f"  finished  {utc(delivery.finished_at)}"


def _attempt(attempt: DeliveryAttempt) -> Iterator[str]:
    code = "" if attempt.status_code is None else f" {attempt.status_code}"
    took = "" if attempt.duration_ms is None else f"  {attempt.duration_ms} ms"
    yield f"  {attempt.number}  {attempt.trigger:9}  {utc(attempt.started_at)}  {attempt.outcome}{code}{took}"
    if attempt.url:
        yield f"     {attempt.shown_url}"
    if attempt.error:
        yield f"     {attempt.error}"
