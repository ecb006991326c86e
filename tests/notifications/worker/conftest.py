import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import services
from notifications.events import EVENT_TYPES
from orders.models import Funnel, Product
from tests.servers.receiver import Receiver

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {
    "POSTBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "POSTBACK_RETRY_DELAYS_SECONDS": "0.1,0.1,0.1",
    "POSTBACK_TIMEOUT_SECONDS": "20",
    "SWEEP_INTERVAL_SECONDS": "0.2",
    "FUNNEL_COMPLETION_SECONDS": "1",
}


class Program:
    """A real worker or beat, in a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path, *arguments: str) -> None:
        self._log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "config", *arguments],
                cwd=ROOT,
                env=environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def log(self) -> str:
        """All that it has written so far."""
        return self._log.read_text()

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)

    def terminate(self) -> int:
        """SIGTERM, and wait for the orderly end. Returns the exit code."""
        self._process.terminate()
        return self._process.wait(60)

    @property
    def running(self) -> bool:
        return self._process.poll() is None


@pytest.fixture
def start(subprocess_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """`start("worker", REDIS_URL=...)` or `start("beat")`: stopped by force at the end of the test."""
    started: list[Program] = []

    def start(name: str, **settings: str) -> Program:
        arguments = {
            "worker": (
                "worker",
                "-n",
                f"test{len(started)}@%h",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ),
            "beat": ("beat",),
        }
        log = tmp_path / f"{name}{len(started)}.log"
        program = Program({**subprocess_environment, **SETTINGS, **settings}, log, *arguments[name])
        started.append(program)
        return program

    yield start
    for program in started:
        if program.running:
            program.kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def channel(transactional_db: None, receiver: Receiver) -> Channel:
    """Attached to every event type, for all sources."""
    channel = create_channel(name="Warehouse", kind="postback", url=receiver.url)
    for event_type in EVENT_TYPES.values():
        services.set_event_type_enabled(event_type=event_type, enabled=True, by="test")
        services.attach_channel(
            event_type=event_type, channel_id=channel.pk, sources=["admin", "shop", "funnel"], by="test"
        )
    return channel


@pytest.fixture
def catalogue(transactional_db: None) -> None:
    Product.objects.create(sku="mug", title="Mug", kind="physical", unit_price=Decimal("12.50"), currency="USD")
    Funnel.objects.create(name="Spring launch", slug="spring")
