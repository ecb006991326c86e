"""OpenTelemetry: from the request to each attempt, over OTLP. Imported only where an exporter is set.

Spans wait in memory for a thread that exports them; where that cannot keep up, further ones are dropped. No request, no
delivery and no commit waits for it, and a process that ends does for at most `LAST_SPANS_SECONDS`.
"""

import atexit
from collections.abc import Callable
from typing import Any

import requests
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from requests.adapters import HTTPAdapter

from channels_app.transports.net.tls import tls_context
from config.request_log import method_of, route_of, when_closed
from notifications import tracing
from notifications.spans import RealSpans, chosen_span_id

LAST_SPANS_SECONDS = 1.0
# Asked by machines every few seconds.
UNTRACED = frozenset({"/healthz", "/healthz/deliveries", "/readyz", "/metrics"})
_PROPAGATOR = TraceContextTextMapPropagator()
_tracer: Tracer | None = None


def begin() -> None:
    """Called once, when Django starts. Raises `ImproperlyConfigured` for what the exporter cannot use."""
    global _tracer
    try:
        processor = _Batches(OTLPSpanExporter(session=_session()))
    except ValueError as error:
        raise ImproperlyConfigured("One of the variables OTEL_EXPORTER_OTLP_* and OTEL_BSP_* is not usable.") from error
    provider = TracerProvider(resource=_resource(), id_generator=_Ids(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    atexit.register(provider.shutdown)
    _tracer = provider.get_tracer("tidings", settings.VERSION)
    tracing.use(RealSpans(_tracer))


class _Batches(BatchSpanProcessor):
    """The SDK's waits half a minute at the end for an exporter that hangs."""

    def shutdown(self) -> None:
        self._batch_processor.shutdown(timeout_millis=int(LAST_SPANS_SECONDS * 1000))


class _Ids(RandomIdGenerator):
    """Random, but for spans that others must find by what they know."""

    def generate_span_id(self) -> int:
        return chosen_span_id.get() or super().generate_span_id()


def _resource() -> Resource:
    """By `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`; the name is `tidings` where neither has one."""
    resource = Resource.create({"service.version": settings.VERSION})
    unnamed = str(resource.attributes.get("service.name", "")).startswith("unknown_service")
    return resource.merge(Resource({"service.name": "tidings"})) if unnamed else resource


def _session() -> requests.Session:
    """Trusts the authorities of `EXTRA_CA_BUNDLE` beside the public ones, unless `OTEL_EXPORTER_OTLP_*` names some."""
    session = requests.Session()
    if settings.EXTRA_CA_BUNDLE:
        session.mount("https://", _WithExtraAuthorities())
    return session


class _WithExtraAuthorities(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=tls_context(settings.EXTRA_CA_BUNDLE), **kwargs)


class TracingMiddleware:
    """The span of each request, within the trace that its `traceparent` names. Log lines tell the `trace_id`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if _tracer is None or request.path_info in UNTRACED:
            return self.get_response(request)
        method = method_of(request)
        sent = {name: request.headers[name] for name in ("traceparent", "tracestate") if name in request.headers}
        span = _tracer.start_span(
            method,
            context=_PROPAGATOR.extract(sent, Context()),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.scheme": request.scheme or ""},
        )
        structlog.contextvars.bind_contextvars(trace_id=trace.format_trace_id(span.get_span_context().trace_id))
        with trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            response = self.get_response(request)
        if response.streaming:
            when_closed(response, lambda: _end(span, method, request, response))
        else:
            _end(span, method, request, response)
        return response


def _end(span: Span, method: str, request: HttpRequest, response: HttpResponseBase) -> None:
    """The route and not the path, which may have a token in it."""
    if route := route_of(request):
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", response.status_code)
    if response.status_code >= 500:
        span.set_attribute("error.type", str(response.status_code))
        span.set_status(Status(StatusCode.ERROR))
    span.end()
