"""The objects of the notifications' API: what may be sent, and what is answered."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from notifications import services
from notifications.models import Delivery, Event, EventChannel, ReplayJob
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
# Each is judged and refused by itself, so their number needs an end.
Names = Annotated[list[str], Field(max_length=100)]


# The large columns of an attempt, which a list leaves unread.
BODY = "response_body"
ATTEMPT_TEXTS = ("request_headers", "response_headers", BODY)


class Input(Schema):
    model_config = ConfigDict(extra="forbid")


class EventTypeChange(Input):
    enabled: Flag


class EventTypeOut(Schema):
    key: str
    label: str
    description: str
    enabled: bool
    kinds: list[str]
    manual_retry: bool
    changed_by: str | None
    changed_at: datetime | None


class AttachmentIn(Input):
    channel: str
    sources: Names = list(Source.values)


class AttachmentChange(Input):
    sources: Names


class AttachmentOut(Schema):
    channel: str
    sources: list[str]

    @staticmethod
    def resolve_channel(attachment: EventChannel) -> str:
        return attachment.channel_id


class RouteOut(Schema):
    """What became of an event at one attached channel."""

    channel: str
    outcome: str
    delivery: str | None


class TestRequest(Input):
    event_type: str = "order.completed"


class ReplayRequest(Input):
    """What failed from `since` on; `event_types` limits it to these. A dry run only counts."""

    since: Moment
    event_types: Names = []
    dry_run: Flag = False


class ReplayOut(Schema):
    """A replay: `count` failed deliveries to send again, of which `replayed` are under way or done."""

    id: str
    channel: str
    since: datetime
    event_types: list[str]
    dry_run: bool
    status: str
    count: int
    replayed: int
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_channel(job: ReplayJob) -> str:
        return job.channel_id


class EventOut(Schema):
    """One occurrence; `body` is what every channel receives, null only where it could not be built."""

    id: str
    type: str
    source: str
    created_at: datetime
    order: str | None
    body: dict[str, Any] | None
    routing: list[RouteOut]

    @staticmethod
    def resolve_order(event: Event) -> str | None:
        return event.order.number if event.order else None

    @staticmethod
    def resolve_body(event: Event) -> dict[str, Any] | None:
        return None if event.body is None else json.loads(event.body)


class ListedAttemptOut(Schema):
    """An attempt in a list, without what was sent and answered, which may be long."""

    id: str
    number: int
    trigger: str
    outcome: str
    url: str
    status_code: int | None
    started_at: datetime
    duration_ms: int | None
    error: str


class AttemptOut(Schema):
    """An attempt with what was sent and answered."""

    id: str
    number: int
    trigger: str
    outcome: str
    url: str
    status_code: int | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str
    started_at: datetime
    duration_ms: int | None
    error: str


class ListedDeliveryOut(Schema):
    """A delivery in a list. Its attempts come with what was sent and answered only where `expand=attempts` asks so."""

    id: str
    event: str
    event_type: str
    channel: str
    order: str | None
    status: str
    attempts_made: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    retry_allowed: bool
    retry_refused_because: str | None
    attempts: list[AttemptOut | ListedAttemptOut]

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
            (ListedAttemptOut if BODY in attempt.get_deferred_fields() else AttemptOut).from_orm(attempt)
            for attempt in delivery.attempts.all()
        ]


class DeliveryOut(ListedDeliveryOut):
    """One event for one channel. `next_attempt_at` is null while it is in flight and once it is finished."""

    attempts: list[AttemptOut]


def _shaped(pattern: str, sentence: str) -> AfterValidator:
    """What cannot be the name of anything is a mistake, and not a list of nothing."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(sentence)
        return text

    return AfterValidator(check)


OrderNumber = Annotated[str, _shaped(r"[0-9]{1,20}", "This must be the number of an order, such as 1001.")]
ChannelId = Annotated[str, _shaped(r"chn_[0-9a-z_]{1,36}", "This must be the id of a channel; those begin with chn_.")]


class EventFilters(Schema):
    event_type: str | None = None
    order: OrderNumber | None = None
    source: str | None = None


class DeliveryFilters(Schema):
    status: str | None = None
    event_type: str | None = None
    channel: ChannelId | None = None
    order: OrderNumber | None = None
    created_after: Moment | None = None
    expand: str | None = None
