"""Where spans begin: an event, its deliveries, each attempt. Nothing is done, or imported, unless `use` was called.

What one process writes down another goes on with, hours later maybe: an event keeps the context of its span (W3C Trace
Context) in its row, and the id of a delivery's span follows from that of the delivery.
"""

from collections.abc import Mapping
from typing import Protocol

import structlog

from channels_app.transports import Answer
from notifications.models import Event

log = structlog.get_logger(__name__)


class AttemptSpan(Protocol):
    """The span of one attempt, which is under way. The caller ends it."""

    @property
    def trace_id(self) -> str:
        """In hexadecimal digits."""
        ...

    @property
    def headers(self) -> dict[str, str]:
        """What tells a receiver of it: `traceparent`, and `tracestate` where there is one."""
        ...

    def end(self, answer: Answer) -> None: ...


class Spans(Protocol):
    """What makes the spans (`notifications.spans`). It never waits for whom they are told."""

    def trace_event(self, event: Event, channels: Mapping[str, str]) -> None:
        """Begin the span of an event; `channels` has the channel of each of its deliveries."""
        ...

    def begin_attempt(
        self,
        event_type: str,
        *,
        delivery_id: str,
        event_context: Mapping[str, str] | None,
        attributes: Mapping[str, str | int],
    ) -> AttemptSpan:
        """Begin the span of an attempt within that of its delivery; where its event was not traced, a trace."""
        ...


_spans: Spans | None = None


def use(spans: Spans | None) -> None:
    """Called when Django starts, where there is an exporter."""
    global _spans
    _spans = spans


def spans() -> Spans | None:
    """None where nothing is traced."""
    return _spans


def trace_event(event: Event, channels: Mapping[str, str]) -> None:
    """Begin the span of an event and keep its context in the event, which is to be saved then. Never raises.

    It ends with the transaction, and with it begin those of the deliveries (`channels` has the channel of each); where
    nothing is committed, there is none. Must run inside the transaction.
    """
    if _spans is None:
        return
    try:
        _spans.trace_event(event, channels)
    except Exception:
        log.exception("event_not_traced", event_id=event.pk)
