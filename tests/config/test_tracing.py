"""From the call of a shop to each attempt: one trace, told to a collector."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client
from django.test.utils import override_settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.keys import create_key
from channels_app.services import create_channel
from config import tracing as wiring
from notifications import tracing
from notifications.models import Delivery, Event
from notifications.spans import RealSpans
from orders.services import create_contact
from tests.api.test_settings import PRODUCTION, load
from tests.config.log_lines import log_lines
from tests.config.serving import serving
from tests.config.workers import wait_until_it_takes_tasks
from tests.notifications.conftest import attach, engine, quick_delivery
from tests.notifications.deliveries import make_delivery
from tests.notifications.worker.conftest import channel, receiver, start
from tests.orders.shop import contact_input
from tests.servers.otlp import Collector, Told
from tests.waiting import wait_until

__all__ = ["attach", "channel", "engine", "quick_delivery", "receiver", "start"]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
# As long would the SDK wait at the end of a process.
LEFT_TO_ITSELF_SECONDS = 30
CONTACT = {"source": "shop", "email": "ada@example.com", "first_name": "Lovelace"}


@pytest.fixture
def shop(transactional_db: None) -> dict[str, str]:
    key = create_key(name="Shop", scopes=["storefront"])[1]
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The wiring of this process, with a memory in the place of a collector."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(id_generator=wiring._Ids(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    monkeypatch.setattr(wiring, "_tracer", tracer)
    tracing.use(RealSpans(tracer))
    yield exporter
    tracing.use(None)


@contextmanager
def traced_requests() -> Iterator[None]:
    from django.conf import settings

    with override_settings(MIDDLEWARE=["config.tracing.TracingMiddleware", *settings.MIDDLEWARE]):
        yield


def by_name(spans: list[Told]) -> dict[str, Told]:
    found = {span.name: span for span in spans}
    assert len(found) == len(spans), sorted(span.name for span in spans)
    return found


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_one_trace_from_the_call_to_the_second_attempt(subprocess_environment, start, receiver, channel, shop):
    answers = iter([503])
    receiver.answer = lambda request: next(answers, 200)
    with Collector() as collector, ExitStack() as stack:
        # They tell their spans when they end, not before.
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "POSTBACK_TRACEPARENT": "on",
        }
        server = stack.enter_context(serving({**subprocess_environment, **environment}))
        worker = start("worker", **environment)
        headers = {**shop, "traceparent": TRACEPARENT, "tracestate": "vendor=1"}
        status, _, _ = server.request("POST", "/api/v1/contacts?q=swordfish", json.dumps(CONTACT).encode(), headers)
        assert status == 422
        status, _, _ = server.request("POST", "/api/v1/contacts", json.dumps(CONTACT).encode(), headers)
        assert status == 201
        wait_until(lambda: Delivery.objects.filter(status="succeeded").exists(), timeout=60)
        wait_until_it_takes_tasks()
        assert worker.terminate() == 0
        told_by_worker = collector.spans
        stack.close()
        spans = collector.spans
    assert [span.name for span in told_by_worker] == ["attempt contact.created"] * 2
    first, second = told_by_worker
    assert {span.trace for span in spans} == {TRACE}
    (refused,) = (span for span in spans if span.attributes.get("http.response.status_code") == 422)
    rest = by_name([span for span in spans if span not in (refused, first, second)])
    request, event, delivery = (
        rest[name] for name in ("POST /api/v1/contacts", "create contact.created", "send contact.created")
    )
    assert len(rest) == 3
    assert request.parent == PARENT
    assert event.parent == request.id
    assert delivery.parent == event.id
    assert first.parent == second.parent == delivery.id
    kinds = [span.kind for span in (request, event, delivery, first, second)]
    assert kinds == ["server", "producer", "producer", "client", "client"]
    assert [span.is_error for span in (request, event, delivery, first, second)] == [False, False, False, True, False]

    row = Delivery.objects.get()
    attempts = list(row.attempts.order_by("number"))
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/api/v1/contacts",
        "http.response.status_code": 201,
        "url.scheme": "http",
    }
    of_event = {"messaging.system": "tidings", "messaging.message.id": row.event_id}
    of_event |= {"messaging.destination.name": "contact.created"}
    named = {f"messaging.operation.{name}": "create" for name in ("name", "type")}
    assert event.attributes == {**of_event, **named, "tidings.event.source": "shop"}
    ids = {"tidings.delivery.id": row.pk, "tidings.channel.id": channel.pk}
    assert delivery.attributes == {
        **of_event,
        **ids,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
    }
    assert first.attributes == {
        **of_event,
        **ids,
        "messaging.operation.name": "attempt",
        "messaging.operation.type": "process",
        "tidings.channel.kind": "postback",
        "tidings.attempt.id": attempts[0].pk,
        "tidings.attempt.number": 1,
        "tidings.attempt.trigger": "first",
        "tidings.attempt.outcome": "http_error",
        "http.request.method": "POST",
        "http.request.resend_count": 0,
        "http.response.status_code": 503,
        "server.address": "127.0.0.1",
        "server.port": int(receiver.url.rpartition(":")[2].partition("/")[0]),
        "error.type": "http_error",
    }
    assert second.attributes["tidings.attempt.id"] == attempts[1].pk
    assert all(span.began <= span.ended for span in spans)
    assert {span.resource["service.name"] for span in spans} == {"tidings"}

    # What the receiver was told leads to the attempt's own span.
    assert [each.headers["traceparent"] for each in receiver.received] == [
        f"00-{TRACE}-{span.id}-01" for span in (first, second)
    ]
    assert {each.headers["tracestate"] for each in receiver.received} == {"vendor=1"}
    assert f"trace_id='{TRACE}'" in worker.log()
    everything = b"".join(collector.bodies)
    for secret in (b"swordfish", b"ada@", b"Lovelace", shop["Authorization"].encode()[7:], channel.secret.encode()):
        assert secret not in everything, secret


@pytest.mark.django_db(transaction=True)
def test_without_a_call_the_event_begins_a_trace(exported, engine, receiver, channel, attach):
    create_contact(source="shop", data=contact_input())
    assert engine.deliver_due() == 1
    delivery, event, attempt = exported.get_finished_spans()
    assert event.parent is None
    assert delivery.parent.span_id == event.context.span_id
    assert attempt.parent.span_id == delivery.context.span_id
    assert len({span.context.trace_id for span in (event, delivery, attempt)}) == 1
    assert "traceparent" not in receiver.received[0].headers


@pytest.mark.django_db(transaction=True)
def test_what_is_not_committed_has_no_span(exported, channel):
    with pytest.raises(RuntimeError), transaction.atomic():
        create_contact(source="shop", data=contact_input())
        raise RuntimeError
    assert exported.get_finished_spans() == ()


@pytest.mark.django_db(transaction=True)
def test_a_click_leads_to_what_it_has_sent(exported, engine, channel, admin_client):
    with traced_requests():
        admin_client.handler.load_middleware()
        answer = admin_client.post(
            f"/admin/channels_app/channel/{channel.pk.replace('_', '_5F')}/test/", {"event_type": "order.completed"}
        )
    assert answer.status_code == 302, answer.content
    engine.deliver_due()
    delivery, event, click, attempt = exported.get_finished_spans()
    assert click.name.startswith("POST /admin/")
    assert event.parent.span_id == click.context.span_id
    assert attempt.parent.span_id == delivery.context.span_id
    assert (event.name, attempt.attributes["tidings.attempt.trigger"]) == ("create order.completed", "test")


@pytest.mark.django_db(transaction=True)
def test_an_event_of_before_is_delivered_in_a_trace_of_its_own(exported, engine, channel):
    make_delivery(channel)
    assert engine.deliver_due() == 1
    (attempt,) = exported.get_finished_spans()
    assert attempt.parent is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("given", ["", "00-0-0-01", f"00-{'0' * 32}-{PARENT}-01", "x" * 5000])
def test_a_traceparent_that_is_none_begins_a_trace(exported, shop, given):
    with traced_requests(), log_lines() as lines:
        answer = Client().post("/api/v1/contacts", CONTACT, "application/json", headers={**shop, "traceparent": given})
    assert answer.status_code == 201
    event, request = exported.get_finished_spans()
    assert request.parent is None
    assert event.context.trace_id == request.context.trace_id
    (line,) = lines.of("request")
    assert "trace_id" not in line or line["trace_id"] == f"{request.context.trace_id:032x}"


@pytest.mark.django_db(transaction=True)
def test_a_caller_that_does_not_sample_is_followed(exported, engine, receiver, channel, shop):
    with traced_requests():
        headers = {**shop, "traceparent": TRACEPARENT[:-2] + "00"}
        Client().post("/api/v1/contacts", CONTACT, "application/json", headers=headers)
    assert engine.deliver_due() == 1
    assert exported.get_finished_spans() == ()
    assert Event.objects.get().trace_context["traceparent"].startswith(f"00-{TRACE}-")


@pytest.mark.django_db(transaction=True)
def test_a_failing_request_is_an_error_without_words_and_probes_have_no_span(exported, monkeypatch):
    def fail(*_: Any) -> None:
        raise RuntimeError("swordfish")

    monkeypatch.setattr("backoffice.site.TidingsAdminSite.each_context", fail)
    with traced_requests():
        client = Client(raise_request_exception=False)
        client.get("/healthz")
        assert client.get("/admin/login/?q=swordfish").status_code == 500
    (span,) = exported.get_finished_spans()
    assert (span.name, span.attributes["error.type"], span.events) == ("GET /admin/login/", "500", ())
    assert span.status.description is None
    assert "swordfish" not in span.to_json()


@pytest.mark.django_db(transaction=True)
def test_of_a_secret_url_not_even_the_host_is_told(exported, engine, receiver, transactional_db):
    secret = create_channel(name="Secret", kind="postback", url=receiver.url + "/swordfish", url_is_secret=True)
    own = create_channel(name="Own", kind="postback", url=receiver.url, headers={"Traceparent": "of-its-own"})
    for each in (secret, own):
        make_delivery(each)
    with override_settings(POSTBACK_TRACEPARENT=True):
        assert engine.deliver_due() == 2
    told = {span.attributes["tidings.channel.id"]: span for span in exported.get_finished_spans()}
    assert "server.address" not in told[secret.pk].attributes
    assert told[secret.pk].attributes["http.response.status_code"] == 200
    assert "swordfish" not in told[secret.pk].to_json()
    sent = {each.path.endswith("swordfish"): each.headers["traceparent"] for each in receiver.received}
    assert sent.pop(False) == "of-its-own"
    span = told[secret.pk].context
    assert sent[True].startswith(f"00-{span.trace_id:032x}-{span.span_id:016x}-")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("away", [False, True])
def test_nothing_waits_for_a_collector_that_hangs_or_is_away(subprocess_environment, start, channel, shop, away):
    with Collector(hangs=True) as collector, ExitStack() as stack:
        endpoint = "http://127.0.0.1:1" if away else collector.endpoint
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        server = stack.enter_context(serving({**subprocess_environment, **environment}))
        worker = start("worker", **environment)
        for number in range(20):
            body = json.dumps({**CONTACT, "email": f"ada{number}@example.com"}).encode()
            assert server.request("POST", "/api/v1/contacts", body, shop)[0] == 201
        wait_until(lambda: Delivery.objects.filter(status="succeeded").count() == 20, timeout=60)
        if not away:
            wait_until(lambda: len(collector.bodies) > 1, timeout=60)  # of both, and neither is answered
        wait_until_it_takes_tasks()
        began = time.monotonic()
        assert worker.terminate() == 0
        assert time.monotonic() - began < LEFT_TO_ITSELF_SECONDS
        stack.close()
        assert server.process.returncode == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT must be like http"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be like http"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL does not know 'grpc'"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER does not know 'zipkin'"),
    ],
)
def test_what_cannot_be_used_is_refused_at_start(given, words, tmp_path):
    with pytest.raises(ImproperlyConfigured, match=words):
        load(tmp_path, **PRODUCTION, **given)
