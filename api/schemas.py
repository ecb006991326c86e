"""The objects of the notifications' API: what may be sent, and what is answered."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from ninja import Path, Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from channels_app.transports import Outcome, kind_choices
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, DeliveryAttempt, Event, EventChannel, ReplayJob, Trigger
from orders.models import Source

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _moment(value: object) -> datetime:
    """A time as RFC 3339 writes it, in UTC."""
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("This must be a time such as 2026-11-23T18:36:00Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("There is no such time.") from error


Moment = Annotated[datetime, BeforeValidator(_moment)]
Flag = Annotated[bool, Field(strict=True)]
# Names in a list are judged and refused each by itself, so their number needs an end.
MOST_NAMES = 100

# The large columns of an attempt, which a list leaves unread.
BODY = "response_body"
ATTEMPT_TEXTS = ("request_headers", "response_headers", BODY)

# Marks a member that holds the body of any event, for `api.openapi`.
EVENT_BODY = "x-event-body"

EVENT_TYPE_WORDS = list(EVENT_TYPES)
SOURCE_WORDS: list[str] = list(Source.values)
STATUS_WORDS = ["pending", "held", "succeeded", "failed"]
OUTCOME_WORDS: list[str] = list(Outcome.values)
TRIGGER_WORDS: list[str] = list(Trigger.values)
ROUTING_WORDS: list[str] = list(Event.RoutingOutcome.values)
REPLAY_WORDS: list[str] = list(ReplayJob.Status.values)

_ID = "01kaskf4zze4t9a1t8cdhyjvb5"
_MOMENT = "2026-11-23T18:36:00.123456Z"
_LATER = "2026-11-23T18:36:00.432100Z"


def _text(description: str, example: Any) -> Any:
    return Field(description=description, examples=[example])


def _names(description: str, example: list[str]) -> Any:
    return Field(max_length=MOST_NAMES, description=description, examples=[example])


def _word(description: str, example: str, words: list[str]) -> Any:
    """One of some words. What may be sent is limited to them; what is given out may be others in later versions."""
    return Field(description=description, examples=[example], json_schema_extra={"enum": [*words]})


EventTypeWord = Annotated[str, _word("The event type, by its key.", "order.completed", EVENT_TYPE_WORDS)]
SourceWord = Annotated[str, _word("Where it comes from.", "shop", SOURCE_WORDS)]
ChannelName = Annotated[str, _text("The channel's id.", f"chn_{_ID}")]
OrderName = Annotated[
    str | None, _text("The number of the order that it is about; null where it is about none.", "1001")
]


class Input(Schema):
    model_config = ConfigDict(extra="forbid")


class EventTypeChange(Input):
    """Whether an event type is told."""

    enabled: Annotated[Flag, _text("Whether events of this type are sent to the attached channels from now on.", True)]


class EventTypeOut(Schema):
    """One of the things that can happen, and whether channels are told of it."""

    key: EventTypeWord
    label: Annotated[str, _text("Its name for people.", "Order completed")]
    description: Annotated[str, _text("When it happens.", "An order closes successfully.")]
    enabled: Annotated[bool, _text("Whether it is told. What was recorded before still goes out.", True)]
    kinds: Annotated[
        list[Annotated[str, Field(json_schema_extra={"enum": [kind for kind, _ in kind_choices()]})]],
        _text("The kinds of channel that may be attached.", ["postback", "email", "slack"]),
    ]
    manual_retry: Annotated[bool, _text("Whether a failed delivery of it may be retried by hand.", True)]
    changed_by: Annotated[
        str | None, _text("Who turned it on or off last; null where nobody has.", "API key Back office")
    ]
    changed_at: Annotated[datetime | None, _text("When that was.", _MOMENT)]


class AttachmentIn(Input):
    """A channel that is to hear of an event type."""

    channel: ChannelName
    sources: Annotated[
        list[SourceWord], _names("From which sources; from all of them unless given.", ["shop", "funnel"])
    ] = list(Source.values)


class AttachmentChange(Input):
    """From which sources an attached channel is to hear."""

    sources: Annotated[list[SourceWord], _names("From which sources, at least one.", ["shop", "funnel"])]


class AttachmentOut(Schema):
    """A channel that hears of an event type."""

    channel: ChannelName
    sources: Annotated[list[SourceWord], _text("From which sources.", ["shop", "funnel"])]

    @staticmethod
    def resolve_channel(attachment: EventChannel) -> str:
        return attachment.channel_id


class RouteOut(Schema):
    """What became of an event at one attached channel."""

    channel: ChannelName
    outcome: Annotated[
        str,
        _word(
            "Whether a delivery was made, and why not: `held` is one to a channel that was paused.",
            "delivered",
            ROUTING_WORDS,
        ),
    ]
    delivery: Annotated[str | None, _text("The delivery's id; null where none was made.", f"dlv_{_ID}")]


class TestRequest(Input):
    """Which sample is to be sent. The body may be left out."""

    event_type: Annotated[
        str, _word("The event type, by its key; `order.completed` unless given.", "order.completed", EVENT_TYPE_WORDS)
    ] = "order.completed"


class ReplayRequest(Input):
    """What is to be sent again of what has failed on a channel."""

    since: Annotated[Moment, _text("What failed from this moment on (RFC 3339, with an offset).", _MOMENT)]
    event_types: Annotated[
        list[EventTypeWord], _names("Only of these event types; of all of them unless given.", ["order.completed"])
    ] = []
    dry_run: Annotated[Flag, _text("Only count; send nothing.", False)] = False


class ReplayOut(Schema):
    """A job that sends again what has failed on a channel, at most 100 deliveries at a time."""

    id: Annotated[str, _text("The job's id.", f"rpl_{_ID}")]
    channel: ChannelName
    since: Annotated[datetime, _text("What failed from this moment on.", _MOMENT)]
    event_types: Annotated[
        list[EventTypeWord], _text("Only of these event types; empty for all of them.", ["order.completed"])
    ]
    dry_run: Annotated[bool, _text("It only counts.", False)]
    status: Annotated[str, _word("Whether it goes on.", "running", REPLAY_WORDS)]
    count: Annotated[int, Field(ge=0, description="How many failed deliveries are to be sent again.", examples=[12])]
    replayed: Annotated[int, Field(ge=0, description="How many of them are under way or done.", examples=[0])]
    created_at: Annotated[datetime, _text("When it was asked for.", _LATER)]
    finished_at: Annotated[datetime | None, _text("When the last one was under way; null before.", None)]

    @staticmethod
    def resolve_channel(job: ReplayJob) -> str:
        return job.channel_id


class EventOut(Schema):
    """One occurrence, recorded together with what it is about."""

    id: Annotated[str, _text("The event's id, which receivers get as `webhook-id`.", f"evt_{_ID}")]
    type: EventTypeWord
    source: SourceWord
    created_at: Annotated[datetime, _text("When it was recorded.", _MOMENT)]
    order: OrderName
    body: Annotated[
        dict[str, Any] | None,
        Field(
            description="What every channel is told, as described in the webhooks of this document; null only where "
            "it could not be built. A body stays as it was recorded, so that an old one may lack later members.",
            json_schema_extra={EVENT_BODY: True},
        ),
    ]
    routing: Annotated[
        list[RouteOut], Field(description="What became of it at each channel that was attached to its event type.")
    ]

    @staticmethod
    def resolve_order(event: Event) -> str | None:
        return event.order.number if event.order else None

    @staticmethod
    def resolve_body(event: Event) -> dict[str, Any] | None:
        return None if event.body is None else json.loads(event.body)


AttemptId = Annotated[str, _text("The attempt's id.", f"att_{_ID}")]
AttemptNumber = Annotated[int, Field(ge=1, description="Its place among the delivery's attempts.", examples=[1])]
AttemptTrigger = Annotated[
    str, _word("Why it was made. `recovered`: the worker of the one before had died.", "first", TRIGGER_WORDS)
]
AttemptOutcome = Annotated[
    str,
    _word(
        "What it came to. `started` is in flight; `unknown`: the worker died; `refused` is said by a mail server.",
        "succeeded",
        OUTCOME_WORDS,
    ),
]
AttemptUrl = Annotated[
    str, _text("Where it was sent to, masked where that is a secret.", "https://warehouse.example.com/hooks/orders")
]
StatusCode = Annotated[
    int | None, _text("The status of the answer (of mail, its SMTP code); null where there was none.", 200)
]
StartedAt = Annotated[datetime, _text("When it began.", _MOMENT)]
Duration = Annotated[int | None, _text("How long it took, in milliseconds; null while it is in flight.", 118)]
ErrorText = Annotated[str, _text('What went wrong, in a sentence; "" where nothing did.', "")]


class ListedAttemptOut(Schema):
    """An attempt in a list, without what was sent and answered, which may be long."""

    id: AttemptId
    number: AttemptNumber
    trigger: AttemptTrigger
    outcome: AttemptOutcome
    url: AttemptUrl
    status_code: StatusCode
    started_at: StartedAt
    duration_ms: Duration
    error: ErrorText


class AttemptOut(Schema):
    """One time that a delivery was sent, with what was sent and answered."""

    id: AttemptId
    number: AttemptNumber
    trigger: AttemptTrigger
    outcome: AttemptOutcome
    url: AttemptUrl
    status_code: StatusCode
    request_headers: Annotated[
        dict[str, str],
        _text("The headers that were sent, credentials masked.", {"webhook-id": f"evt_{_ID}"}),
    ]
    response_headers: Annotated[dict[str, str], _text("The headers of the answer.", {"content-type": "text/plain"})]
    response_body: Annotated[str, _text("The beginning of the answer's body, at most 16 KiB.", "ok")]
    started_at: StartedAt
    duration_ms: Duration
    error: ErrorText


class ListedDeliveryOut(Schema):
    """A delivery in a list. Its attempts come with what was sent and answered only where `expand=attempts` asks so."""

    id: Annotated[str, _text("The delivery's id.", f"dlv_{_ID}")]
    event: Annotated[str, _text("The event's id. Those of tests begin with `evt_test_`.", f"evt_{_ID}")]
    event_type: EventTypeWord
    channel: ChannelName
    order: OrderName
    status: Annotated[str, _word("`held` is pending on a paused channel.", "succeeded", STATUS_WORDS)]
    attempts_made: Annotated[int, Field(ge=0, description="How many attempts were begun.", examples=[1])]
    next_attempt_at: Annotated[
        datetime | None, _text("When it is due; null while it is in flight and once it is finished.", None)
    ]
    created_at: Annotated[datetime, _text("When it was recorded, with its event.", _MOMENT)]
    finished_at: Annotated[datetime | None, _text("When it succeeded or failed; null before.", _LATER)]
    retry_allowed: Annotated[bool, _text("Whether it may be retried by hand now.", False)]
    retry_refused_because: Annotated[
        str | None, _text("Why it may not, in a sentence; null where it may.", "It has been delivered.")
    ]
    attempts: Annotated[
        Sequence[AttemptOut | ListedAttemptOut],
        Field(description="The attempts, in the order in which they were made."),
    ]

    @staticmethod
    def resolve_event(delivery: Delivery) -> str:
        return delivery.event_id

    @staticmethod
    def resolve_channel(delivery: Delivery) -> str:
        return delivery.channel_id

    @staticmethod
    def resolve_order(delivery: Delivery) -> str | None:
        return delivery.event.order.number if delivery.event.order else None

    @staticmethod
    def resolve_status(delivery: Delivery) -> str:
        return delivery.shown_status

    @staticmethod
    def resolve_next_attempt_at(delivery: Delivery) -> datetime | None:
        return None if delivery.in_flight else delivery.next_attempt_at

    @staticmethod
    def resolve_retry_allowed(delivery: Delivery) -> bool:
        return services.retry_refused_because(delivery) is None

    @staticmethod
    def resolve_retry_refused_because(delivery: Delivery) -> str | None:
        return services.retry_refused_because(delivery)

    @staticmethod
    def resolve_attempts(delivery: Delivery) -> list[Any]:
        """Whole where the query has read them whole."""
        return [
            (ListedAttemptOut if BODY in attempt.get_deferred_fields() else AttemptOut).from_orm(_as_shown(attempt))
            for attempt in delivery.attempts.all()
        ]


def _as_shown(attempt: DeliveryAttempt) -> DeliveryAttempt:
    """With its address masked where that is a secret by now. Not to be saved."""
    attempt.url = attempt.shown_url
    return attempt


class DeliveryOut(ListedDeliveryOut):
    """One event for one channel, and all attempts to send it."""

    attempts: Annotated[Sequence[AttemptOut], Field(description="The attempts, in the order in which they were made.")]


def _shaped(pattern: str, sentence: str) -> AfterValidator:
    """What cannot be the name of anything is a mistake, and not a list of nothing."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(sentence)
        return text

    return AfterValidator(check)


ChannelInPath = Annotated[str, Path(description="The channel's id.", examples=[f"chn_{_ID}"])]
EventInPath = Annotated[str, Path(description="The event's id.", examples=[f"evt_{_ID}"])]
DeliveryInPath = Annotated[str, Path(description="The delivery's id.", examples=[f"dlv_{_ID}"])]
OrderNumber = Annotated[str, _shaped(r"[0-9]{1,20}", "This must be the number of an order, such as 1001.")]
ChannelId = Annotated[str, _shaped(r"chn_[0-9a-z_]{1,36}", "This must be the id of a channel; those begin with chn_.")]


OfEventType = Annotated[
    EventTypeWord | None, _text("Only those of this event type, named by its key.", "order.completed")
]
OfOrder = Annotated[OrderNumber | None, _text("Only those of the order with this number.", "1001")]


class EventFilters(Schema):
    event_type: OfEventType = None
    order: OfOrder = None
    source: Annotated[SourceWord | None, _text("Only those from this source: admin, shop or funnel.", "shop")] = None


class DeliveryFilters(Schema):
    status: Annotated[
        Annotated[str, _word("As it is shown.", "failed", STATUS_WORDS)] | None,
        _text("Only those in this status: pending, held, succeeded or failed.", "failed"),
    ] = None
    event_type: OfEventType = None
    channel: Annotated[ChannelId | None, _text("Only those of the channel with this id.", f"chn_{_ID}")] = None
    order: OfOrder = None
    created_after: Annotated[
        Moment | None,
        _text("Only those created after this moment (RFC 3339, with an offset).", "2026-11-23T00:00:00Z"),
    ] = None
    expand: Annotated[
        Annotated[str, _word("What is wanted in full.", "attempts", ["attempts"])] | None,
        _text(
            "`attempts`: each attempt comes with what was sent and answered, as in `GET /deliveries/{delivery_id}`.",
            "attempts",
        ),
    ] = None
