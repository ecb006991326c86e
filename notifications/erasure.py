"""Takes a person's data out of what was sent and answered, and of the history, for good.

The bodies of the events that concern this person keep their shape, ids, amounts and types; what says who it is goes,
and so does what receivers answered, since they may echo it. An erased event is never sent again. The contact in the
shop, with its orders and survey answers, is not touched.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, F, Func, JSONField, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Now
from django.db.models.lookups import IsNull
from psycopg.errors import DeadlockDetected

from channels_app.transports import Outcome
from notifications import history
from notifications.events import EVENT_TYPES
from notifications.models import ChannelHealth, Delivery, DeliveryAttempt, Event, HistoryEntry, Trigger
from notifications.tally import Counted, count
from orders.email_keys import spellings
from orders.models import Contact, SurveyResponse

BATCH = 100
# How often a batch is begun at most.
TIMES = 5
ERASED = "The person's data was erased."
IN_FLIGHT = "The person's data was erased while the message was under way; it may have arrived."
PLACEHOLDER = "[erased]"

# The members of bodies that identify a person, at whatever depth, and what becomes of them: a text that is there
# becomes the placeholder, an object null, a collection empty.
TEXTS = frozenset({"first_name", "last_name", "email", "reason", "cancel_reason", "decline_message"})
OBJECTS = frozenset({"phone", "billing_address", "shipping_address"})
COLLECTIONS = frozenset({"tags", "answers"})
# A member of the same name elsewhere (an order's `number`) stays.
TRACKING = frozenset({"number", "url"})

LOCK_DELIVERIES = """
SELECT count(*), array_agg(DISTINCT channel_id) FROM (
    SELECT channel_id FROM notifications_delivery WHERE event_id = ANY(%s) ORDER BY id FOR UPDATE
) locked
"""

# The subject of an e-mail says what the body says.
_WITHOUT_SUBJECT = Func(
    F("request_headers"), Value({"Subject": PLACEHOLDER}, JSONField()), template="%(expressions)s", arg_joiner=" || "
)


@dataclass(frozen=True)
class Findings:
    """The data of a person: the contact, if known, and counts of what is not erased yet."""

    contact: Contact | None
    events: int
    deliveries: int
    unsent: int  # of the deliveries, those that are still to be sent
    erased_before: int  # events
    corrections: int  # entries of the history that tell the person's addresses

    @property
    def nothing_known(self) -> bool:
        return self.contact is None and not self.events and not self.erased_before

    @property
    def whose(self) -> str:
        """Names the person without naming them."""
        return f"contact {self.contact.pk}" if self.contact else "a person who is no contact"


@dataclass(frozen=True)
class Erased:
    """Counts: the erased events, their deliveries, and those of the deliveries that now fail instead of being sent."""

    events: int = 0
    deliveries: int = 0
    stopped: int = 0

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(self.events + other.events, self.deliveries + other.deliveries, self.stopped + other.stopped)


def find(email: str) -> Findings:
    """Find the data of the person with this e-mail address, whatever its case. Changes nothing."""
    concerned = _concerning(email)
    events = concerned.filter(erased_at=None)
    deliveries = Delivery.objects.filter(event__in=events)
    return Findings(
        contact=_contact(email),
        events=events.count(),
        deliveries=deliveries.count(),
        unsent=deliveries.filter(status=Delivery.Status.PENDING).count(),
        erased_before=concerned.filter(erased_at__isnull=False).count(),
        corrections=_corrections(_contact(email)).count(),
    )


def erase(email: str, *, by: str) -> Erased:
    """Erase this person's data, a batch in each transaction; called again it goes on where it was stopped.

    The history says that `by` did it, from the first batch on. It waits for workers that are writing down an answer,
    and begins a batch again where an older version's worker, which takes locks in another order, gets into its way.
    Raises `django.db.OperationalError` when PostgreSQL is away; what was done until then stays done.
    """
    found, done = find(email), Erased()
    what = f"{found.events} events with {found.deliveries} deliveries"
    sentence = f"The personal data of {found.whose} is erased from {what}."
    if found.contact:
        _corrections(found.contact).update(sentence=f"{history.email_corrected(found.contact.pk)}.")
    for ids in _batches(email):
        done += _erase_together(ids, by=by, sentence=sentence)
        sentence = ""
    return done


def _erase_together(ids: list[str], *, by: str, sentence: str) -> Erased:
    """Erase one batch, with its `sentence` in the history if it is not empty."""
    for times_left in reversed(range(TIMES)):
        try:
            with transaction.atomic():
                if sentence:
                    history.record(action=history.Action.ERASED, by=by, sentence=sentence)
                return _erase_batch(ids)
        except OperationalError as error:
            if not (times_left and isinstance(error.__cause__, DeadlockDetected)):
                raise
    raise AssertionError("The last time either returns or raises.")


def without_personal_data(data: Any, personal: Collection[str] = ()) -> Any:
    """A copy of a body, or of a part of one, in which nothing identifies a person.

    `personal` are names of further members that do: see `EventType.personal`.
    """
    if isinstance(data, list):
        return [without_personal_data(each, personal) for each in data]
    if not isinstance(data, dict):
        return data
    return {name: _member(name, value, personal) for name, value in data.items()}


def _member(name: str, value: Any, personal: Collection[str]) -> Any:
    if name in personal:
        if isinstance(value, str):
            return PLACEHOLDER if value else value
        return [] if isinstance(value, list) else None
    if name in TEXTS:
        return PLACEHOLDER if value else value
    if name in OBJECTS:
        return None
    if name in COLLECTIONS:
        return type(value)()
    if name == "tracking" and value:
        return {**value, "number": value["number"] and PLACEHOLDER, "url": None}
    return without_personal_data(value, personal)


def _contact(email: str) -> Contact | None:
    return Contact.objects.with_email(email.strip()).first()


def _corrections(contact: Contact | None) -> QuerySet[HistoryEntry]:
    """Staff's corrections of this person's e-mail address, with the addresses."""
    if contact is None:
        return HistoryEntry.objects.none()
    begun = f"{history.email_corrected(contact.pk)} from "
    return HistoryEntry.objects.filter(action=history.Action.EDITED, channel=None, sentence__startswith=begun)


def _concerning(email: str) -> QuerySet[Event]:
    """The events of the contact, and the survey answers that came with this address before it was one."""
    same_address = Q()
    for spelling in spellings(email.strip()):
        same_address |= Q(email__iexact=spelling)
    responses = SurveyResponse.objects.filter(same_address).values_list("pk", flat=True)
    surveys = Q(type="survey.completed", contact=None, facts__response__in=list(responses))
    contact = _contact(email)
    return Event.objects.filter(Q(contact=contact) | surveys if contact else surveys)


def _batches(email: str) -> Iterator[list[str]]:
    while ids := list(_concerning(email).filter(erased_at=None).order_by("id").values_list("pk", flat=True)[:BATCH]):
        yield ids


def _erase_batch(ids: list[str]) -> Erased:
    """Locks in the order of `docs/engine.md`: deliveries, events, the health of channels.

    What is large is read before the first lock: with a result that it does not read, a process that is stopped would
    hold its locks for as long as it is.
    """
    bodies = dict(Event.objects.filter(pk__in=ids, erased_at=None).values_list("pk", "body"))
    number, channels = _lock_deliveries(ids)
    of_events = Delivery.objects.filter(event__in=ids)
    attempts = DeliveryAttempt.objects.filter(delivery__in=of_events.values("pk"))
    attempts.update(response_body="", response_headers={})
    # An error may quote the receiver.
    attempts.exclude(error="").update(error=ERASED)
    of_events.exclude(error="").update(error=ERASED)
    attempts.filter(request_headers__has_key="Subject").update(request_headers=_WITHOUT_SUBJECT)
    pending = of_events.filter(status=Delivery.Status.PENDING)
    ended = list(pending.exclude(next_trigger=Trigger.TEST).values_list("channel_id", flat=True))
    failed = {"status": Delivery.Status.FAILED, "next_attempt_at": None, "finished_at": Now()}
    no_lease = {"lease_token": None, "lease_expires_at": None}
    begun = Exists(DeliveryAttempt.objects.filter(delivery=OuterRef("pk"), outcome=Outcome.STARTED))
    # A worker that is sending one has lost its lease, so that nothing of the answer is written down. Where the
    # attempt was not begun nothing was sent.
    in_flight = {"outcome": Outcome.UNKNOWN, "status_code": None, "error": IN_FLIGHT}
    under_way = pending.exclude(lease_token=None)
    stopped = under_way.filter(~begun).update(**failed, **no_lease, error=ERASED, attempts_made=F("attempts_made") - 1)
    stopped += under_way.update(**failed, **no_lease, **in_flight)
    attempts.filter(outcome=Outcome.STARTED).update(outcome=Outcome.UNKNOWN, error=IN_FLIGHT)
    stopped += pending.update(**failed, error=ERASED)
    erased = _erase_events(ids, bodies)
    _forget_latest_errors(channels)
    count(Counted(channel_id, "failed") for channel_id in ended)
    return Erased(erased, number, stopped)


def _lock_deliveries(event_ids: list[str]) -> tuple[int, set[str]]:
    """How many there are, and their channels."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_DELIVERIES, [event_ids])
        number, channels = cursor.fetchone()
    return number, set(channels or ())


def _erase_events(ids: list[str], bodies: dict[str, str | None]) -> int:
    """How many were erased. `bodies` are those that were seen before they were locked: they never change, but where
    there was none a retry may have built one since.
    """
    locked = Event.objects.select_for_update().filter(pk__in=ids, erased_at=None).order_by("id")
    held = dict(locked.values_list("pk", IsNull(F("body"), False)))
    built = [pk for pk, has_body in held.items() if has_body and bodies.get(pk) is None]
    bodies |= dict(Event.objects.filter(pk__in=built).values_list("pk", "body"))
    events = [Event(pk=pk, body=_erased_body(bodies.get(pk)), erased_at=Now()) for pk in held]
    Event.objects.bulk_update(events, ["body", "erased_at"])
    return len(events)


def _erased_body(body: str | None) -> str | None:
    if body is None:
        return None
    read = json.loads(body)
    event_type = EVENT_TYPES.get(read.get("type"))
    erased = without_personal_data(read, event_type.personal if event_type else ())
    return json.dumps(erased, ensure_ascii=False, separators=(",", ":"))


def _forget_latest_errors(channels: set[str]) -> None:
    with_errors = ChannelHealth.objects.filter(channel_id__in=channels).exclude(latest_error="")
    held = list(with_errors.select_for_update().order_by("channel_id").values_list("pk", flat=True))
    ChannelHealth.objects.filter(pk__in=held).update(latest_error=ERASED)
