"""All cases at once against one real worker: what its log says afterwards, and what the receivers have seen."""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from django.db import transaction

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import Outcome
from channels_app.transports.http.connection import IDLE_SECONDS
from demo.local import processes, programs
from demo.local.processes import Child
from notifications.models import Delivery, DeliveryAttempt
from tests.demo.local.launching import PROJECT
from tests.hostile.cases import TLS, WAVES, Case
from tests.notifications.deliveries import make_delivery
from tests.servers.hostile import HostileServer, answers, server_context, unaccepting_port
from tests.waiting import wait_until

TIMEOUT_SECONDS = 2
SETTINGS = {
    "POSTBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "POSTBACK_RETRY_DELAYS_SECONDS": "3600",  # so that each case has one attempt
    "POSTBACK_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
    "SWEEP_INTERVAL_SECONDS": "0.2",
}
HEALTHY = Case("healthy", answers(), Outcome.SUCCEEDED, 200)


@dataclass(frozen=True)
class Trial:
    """One case, over TCP or TLS."""

    case: Case
    over: str

    def __str__(self) -> str:
        return f"{self.case.name}, {self.over}"


TRIALS = [Trial(case, over) for wave in WAVES for case in wave for over in case.over]


@dataclass
class Target:
    """What a trial calls: its channel and its receiver (none where nobody accepts)."""

    channel: Channel
    server: HostileServer | None

    @property
    def attempts(self) -> list[DeliveryAttempt]:
        """Oldest first."""
        mine = DeliveryAttempt.objects.filter(delivery__channel=self.channel)
        return list(mine.select_related("delivery").order_by("started_at"))


@dataclass
class Story:
    """What has happened. Memory is in MiB; both it and the open files are unknown where the system has no /proc."""

    attempts: dict[Trial, list[DeliveryAttempt]] = field(default_factory=dict)
    paused: dict[Trial, bool] = field(default_factory=dict)
    requests: dict[Trial, list[bytes]] = field(default_factory=dict)  # their heads
    connections: dict[Trial, int] = field(default_factory=dict)
    memory_before: float | None = None
    memory_after: float | None = None
    files_before: int = 0
    files_after: int = 0
    alive: bool = False
    healthy: list[tuple[str, int | None]] = field(default_factory=list)
    log: str = ""


def run(environment: Mapping[str, str], ca: trustme.CA, bundle: Path, folder: Path) -> Story:
    """Needs the database, and the environment of programs that work on it; leaves what it has written there."""
    story = Story()
    with ExitStack() as stack:
        worker = stack.enter_context(running_worker(environment, bundle, folder / "worker.log"))
        known = contexts(ca, folder)
        healthy = [stack.enter_context(target(Trial(HEALTHY, over), known)) for over in HEALTHY.over]
        deliver(healthy * 8)
        story.memory_before, story.files_before = peak_memory(worker), open_files(worker)
        for wave in WAVES:
            trials = [Trial(case, over) for case in wave for over in case.over]
            targets = {trial: stack.enter_context(target(trial, known)) for trial in trials}
            deliver([*targets.values()])
            # A second postback for those that would like to see something of the first one.
            deliver([aimed for trial, aimed in targets.items() if trial.case.name == "sets cookies"])
            for trial, aimed in targets.items():
                story.attempts[trial] = aimed.attempts
                story.paused[trial] = Channel.objects.get(pk=aimed.channel.pk).paused_at is not None
                story.requests[trial] = [head for head, _ in aimed.server.requests] if aimed.server else []
                story.connections[trial] = aimed.server.connections if aimed.server else 0
        # What is idle is closed without anything else being sent.
        with suppress(AssertionError):
            wait_until(lambda: open_files(worker) <= story.files_before, timeout=4 * IDLE_SECONDS)
        story.memory_after, story.files_after = peak_memory(worker), open_files(worker)
        deliver(healthy)
        story.healthy = [(attempt.outcome, attempt.status_code) for aimed in healthy for attempt in aimed.attempts]
        story.alive = worker.alive()
        story.log = (folder / "worker.log").read_text()
    return story


@contextmanager
def running_worker(environment: Mapping[str, str], bundle: Path, log: Path) -> Iterator[Child]:
    """As `make run` starts it, in the environment of programs on the test database."""
    service = replace(programs.worker(0, os.getpid(), TIMEOUT_SECONDS), log=log)
    worker = processes.start(service, {**environment, **SETTINGS, "EXTRA_CA_BUNDLE": str(bundle)}, PROJECT)
    try:
        yield worker
    finally:
        processes.stop([worker])


@contextmanager
def target(trial: Trial, known: Mapping[str, ssl.SSLContext]) -> Iterator[Target]:
    with ExitStack() as stack:
        server = None
        if trial.case.behaviour is None:
            scheme = "https" if trial.over == TLS else "http"
            url = f"{scheme}://127.0.0.1:{stack.enter_context(unaccepting_port())}/hook"
        else:
            tls = known[trial.case.certificate] if trial.over == TLS else None
            server = stack.enter_context(HostileServer(trial.case.behaviour, tls=tls))
            url = server.url
        yield Target(create_channel(name=str(trial), kind="postback", url=url), server)


def deliver(targets: list[Target]) -> None:
    """One event to each; returns when the attempt at each is recorded."""
    with transaction.atomic():
        made = [make_delivery(aimed.channel).pk for aimed in targets]

    def recorded() -> bool:
        ended = DeliveryAttempt.objects.filter(delivery__in=made).exclude(outcome="started")
        return ended.count() == len(made)

    wait_until(recorded, timeout=60, interval=0.1)
    assert Delivery.objects.filter(pk__in=made).exclude(lease_token=None).count() == 0


def peak_memory(worker: Child) -> float | None:
    """The most that the process has held at once, in MiB."""
    status = Path(f"/proc/{worker.pid}/status")
    if not status.exists():
        return None
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def open_files(worker: Child) -> int:
    """Sockets included."""
    folder = Path(f"/proc/{worker.pid}/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def contexts(ca: trustme.CA, folder: Path) -> dict[str, ssl.SSLContext]:
    """TLS of servers by the certificate that they show."""
    now, day = datetime.now(UTC), timedelta(days=1)
    return {
        "good": server_context(ca, "127.0.0.1"),
        "expired": valid_between(ca, now - 9 * day, now - day),
        "not yet valid": valid_between(ca, now + day, now + 9 * day),
        "self-signed": self_signed(folder / "self-signed.pem"),
        "of an unknown authority": server_context(trustme.CA(), "127.0.0.1"),
        "for another name": server_context(ca, "other.example", "127.0.0.2"),
        "without its intermediate": without_intermediate(ca, folder / "alone.pem"),
        "for each other": for_each_other(ca),
    }


def valid_between(ca: trustme.CA, begin: datetime, end: datetime) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", not_before=begin, not_after=end).configure_cert(context)
    return context


def self_signed(file: Path) -> ssl.SSLContext:
    own = trustme.CA()
    file.write_bytes(own.private_key_pem.bytes() + own.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def without_intermediate(ca: trustme.CA, file: Path) -> ssl.SSLContext:
    certificate = ca.create_child_ca().issue_cert("127.0.0.1")
    file.write_bytes(certificate.private_key_pem.bytes() + certificate.cert_chain_pems[0].bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def for_each_other(ca: trustme.CA) -> ssl.SSLContext:
    context = server_context(ca, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    return context
