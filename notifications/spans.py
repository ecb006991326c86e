"""The spans of events, deliveries and attempts, by OpenTelemetry's API. Imported only where there is an exporter.

Attributes are named by the semantic conventions for messaging and HTTP, what they lack begins with `tidings.`. They
hold ids and words of ours: neither bodies nor addresses of people, nor of a URL more than the host, if that is no
secret.
"""

import hashlib
from collections.abc import Mapping
from contextvars import ContextVar

from django.db import transaction
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from channels_app.transports import Answer, Outcome
from notifications.models import Event

SYSTEM = "tidings"
_PROPAGATOR = TraceContextTextMapPropagator()
# The id of the span that is about to begin, where it is not to be a random one.
chosen_span_id: ContextVar[int | None] = ContextVar("chosen_span_id", default=None)


def span_id_of(delivery_id: str) -> int:
    """The id of a delivery's span: attempts find their parent without a column for it."""
    return int.from_bytes(hashlib.sha256(delivery_id.encode()).digest()[:8]) or 1


class RealSpans:
    """Implements `notifications.tracing.Spans`. The tracer's ids must heed `chosen_span_id`."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def trace_event(self, event: Event, channels: Mapping[str, str]) -> None:
        span = self._tracer.start_span(
            f"create {event.type}",
            kind=SpanKind.PRODUCER,
            attributes=_messaging("create", event.type)
            | {"messaging.message.id": event.pk, "tidings.event.source": event.source},
        )
        context = trace.set_span_in_context(span, Context())
        kept: dict[str, str] = {}
        _PROPAGATOR.inject(kept, context)
        event.trace_context = kept or None
        transaction.on_commit(lambda: self._committed(span, context, event, channels), robust=True)

    def _committed(self, span: Span, context: Context, event: Event, channels: Mapping[str, str]) -> None:
        for delivery_id, channel_id in channels.items():
            token = chosen_span_id.set(span_id_of(delivery_id))
            try:
                self._tracer.start_span(
                    f"send {event.type}",
                    context=context,
                    kind=SpanKind.PRODUCER,
                    attributes=_messaging("send", event.type)
                    | {
                        "messaging.message.id": event.pk,
                        "tidings.delivery.id": delivery_id,
                        "tidings.channel.id": channel_id,
                    },
                ).end()
            finally:
                chosen_span_id.reset(token)
        span.end()

    def begin_attempt(
        self,
        event_type: str,
        *,
        delivery_id: str,
        event_context: Mapping[str, str] | None,
        attributes: Mapping[str, str | int],
    ) -> "AttemptSpan":
        span = self._tracer.start_span(
            f"attempt {event_type}",
            context=_of_delivery(delivery_id, event_context or {}),
            kind=SpanKind.CLIENT,
            attributes=_messaging("attempt", event_type, kind="process")
            | {"tidings.delivery.id": delivery_id, **attributes},
        )
        return AttemptSpan(span, by_http="http.request.method" in attributes)


class AttemptSpan:
    """See `notifications.tracing.AttemptSpan`."""

    def __init__(self, span: Span, *, by_http: bool) -> None:
        self._span = span
        self._status = "http.response.status_code" if by_http else "tidings.attempt.status_code"

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def headers(self) -> dict[str, str]:
        told: dict[str, str] = {}
        _PROPAGATOR.inject(told, trace.set_span_in_context(self._span, Context()))
        return told

    def end(self, answer: Answer) -> None:
        self._span.set_attribute("tidings.attempt.outcome", str(answer.outcome))
        if answer.status_code is not None:
            self._span.set_attribute(self._status, answer.status_code)
        if answer.outcome != Outcome.SUCCEEDED:
            self._span.set_attribute("error.type", str(answer.outcome))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _messaging(operation: str, event_type: str, *, kind: str = "") -> dict[str, str | int]:
    """What each span has. `kind` is the operation's in the semantic conventions, where it has another name there."""
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind or operation,
        "messaging.destination.name": event_type,
    }


def _of_delivery(delivery_id: str, event_context: Mapping[str, str]) -> Context:
    """The context of the delivery's span; an empty one, so that a trace begins, where its event was not traced."""
    event = trace.get_current_span(_PROPAGATOR.extract(event_context, Context())).get_span_context()
    if not event.is_valid:
        return Context()
    delivery = SpanContext(
        event.trace_id,
        span_id_of(delivery_id),
        is_remote=True,
        trace_flags=event.trace_flags,
        trace_state=event.trace_state,
    )
    return trace.set_span_in_context(NonRecordingSpan(delivery), Context())
