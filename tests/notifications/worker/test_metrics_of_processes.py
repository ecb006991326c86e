"""Two web processes, two workers and beat: whichever answers a scrape, it speaks of all of them, to the last count."""

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.keys import create_key
from notifications.models import Delivery, MetricProcess, MetricTotal
from tests.config.serving import command
from tests.notifications.worker.conftest import ROOT, Program
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(1800)]

CALLS = 60
SCRAPES = 12
# Five processes start at once; on a busy machine that takes a minute and more.
LONG_SECONDS = 300
CONTACTS = "/api/v1/contacts"


class Web:
    """gunicorn with two processes, on a socket that this test opened: its port is ours before it starts."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._port = self._socket.getsockname()[1]
        arguments = command(self._port)
        arguments[arguments.index("--bind") + 1] = f"fd://{self._socket.fileno()}"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*arguments, "--workers", "2"],
                cwd=ROOT,
                env=dict(environment),
                stdout=output,
                stderr=output,
                pass_fds=[self._socket.fileno()],
            )
        self._key = create_key(name="Shop", scopes=["storefront"])[1]

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONG_SECONDS)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            client.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def processes(self) -> list[int]:
        """Those that gunicorn has started to answer."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._socket.close()


Scrape = dict[tuple[str, frozenset[tuple[str, str]]], float]
COUNTERS = ("_total", "_count", "_sum", "_bucket")


@pytest.fixture
def web(subprocess_environment: dict[str, str], tmp_path: Path) -> Iterator[Web]:
    web = Web(subprocess_environment, tmp_path / "web.log")
    try:
        yield web
    finally:
        web.stop()


class Prometheus:
    """Scrapes, and refuses a counter that has gone backwards or away."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._before: Scrape = {}

    def scrape(self) -> Scrape:
        # Without a token /metrics answers to loopback; with a key for the API it does as well.
        status, body = self._web("GET", "/metrics")
        assert status == 200
        now = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }
        for series, value in self._before.items():
            if series[0].endswith(COUNTERS):
                assert now.get(series, -1) >= value, series
        self._before = now
        return now

    def value(self, name: str, **labels: str) -> float:
        return value_of(self.scrape(), name, **labels)


def value_of(scrape: Scrape, name: str, **labels: str) -> float:
    """The sum of the series of this name that have these labels."""
    return sum(
        value
        for (series, its_labels), value in scrape.items()
        if series == name and labels.items() <= dict(its_labels).items()
    )


def told(scrape: Scrape) -> list[float]:
    """What has to be the number of calls, if every call was answered, recorded, delivered and counted once."""
    return [
        value_of(scrape, "tidings_http_requests_total", method="POST", route=CONTACTS, status="201"),
        value_of(scrape, "tidings_http_request_duration_seconds_count", method="POST", route=CONTACTS),
        value_of(scrape, "tidings_events_total", event_type="contact.created", source="shop"),
        value_of(scrape, "tidings_deliveries_recorded_total", event_type="contact.created"),
        value_of(scrape, "tidings_attempts_total", kind="postback", outcome="succeeded", trigger="first"),
        value_of(scrape, "tidings_attempt_duration_seconds_count", kind="postback"),
        value_of(scrape, "tidings_attempt_duration_seconds_bucket", kind="postback", le="+Inf"),
        value_of(scrape, "tidings_arrival_seconds_count", kind="postback"),
        value_of(scrape, "tidings_deliveries_finished_total", kind="postback", status="succeeded"),
        value_of(scrape, "tidings_claim_rows_sum"),
    ]


def test_counts_are_whole_over_all_processes_and_over_killed_ones(
    start: Callable[..., Program], web: Web, receiver, channel
) -> None:
    workers = [start("worker"), start("worker")]
    start("beat")
    prometheus = Prometheus(web)
    called = 0

    def call(number: int) -> None:
        nonlocal called
        for _ in range(number):
            called += 1
            body = {"source": "shop", "email": f"ada{called}@example.com", "first_name": "Ada"}
            assert web("POST", CONTACTS, body)[0] == 201

    def arrived() -> bool:
        return Delivery.objects.filter(status="succeeded").count() == called

    def exact() -> bool:
        return told(prometheus.scrape()) == [called] * 10

    def of_role(role: str) -> float:
        return prometheus.value("tidings_processes", role=role)

    wait_until(lambda: [of_role(role) for role in ("web", "worker", "beat")] == [2, 2, 1], timeout=LONG_SECONDS)
    call(CALLS)
    wait_until(arrived, timeout=LONG_SECONDS)
    wait_until(exact, timeout=LONG_SECONDS)
    assert all(exact() for _ in range(SCRAPES)), "Some web process answered otherwise."
    series = set(MetricTotal.objects.values_list("series", flat=True))

    # One of each is killed, and another one takes its place.
    workers.pop().kill()
    killed, _ = web.processes()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(web.processes()) == 2 and killed not in web.processes(), timeout=LONG_SECONDS)
    assert exact()
    workers.append(start("worker"))
    wait_until(lambda: MetricProcess.objects.filter(role="worker").count() == 3, timeout=LONG_SECONDS)
    call(CALLS)
    wait_until(arrived, timeout=LONG_SECONDS)
    wait_until(exact, timeout=LONG_SECONDS)
    assert all(exact() for _ in range(SCRAPES))

    # Those that end in order have told everything by then.
    call(CALLS)
    wait_until(arrived, timeout=LONG_SECONDS)
    assert [worker.terminate() for worker in workers] == [0, 0]
    assert prometheus.value("tidings_attempts_total", trigger="first") == called
    wait_until(exact, timeout=LONG_SECONDS)
    # Processes that came and went have left no series of their own.
    later = set(MetricTotal.objects.values_list("series", flat=True))
    assert {each for each in later - series if "tidings_attempts" in each or "tidings_claim" in each} == set()
