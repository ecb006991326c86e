import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from config.local.servers import socket_folder
from tests.faults.installation import Installation
from tests.receiver import Received, Receiver

SLOW_SECONDS = 0.3


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder, sockets = tmp_path_factory.mktemp("faults"), socket_folder()
    installation = Installation(folder, sockets)
    try:
        installation.start()
        yield installation
    finally:
        installation.close()
        shutil.rmtree(sockets)
        shutil.rmtree(folder / "postgres", ignore_errors=True)


@pytest.fixture
def tidings(installation: Installation) -> Iterator[Installation]:
    """Without a channel, an event, a worker or a beat."""
    yield installation
    installation.clear()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Answers 200 under `/quick` at once, under `/slow` after a while; under `/moody` 503 to some events at first."""
    arrived: Counter[tuple[str, str]] = Counter()
    lock, ended = threading.Lock(), threading.Event()

    def answer(request: Received) -> int:
        with lock:
            arrived[request.path, request.id] += 1
            first = arrived[request.path, request.id] == 1
        if request.path.startswith("/slow"):
            ended.wait(SLOW_SECONDS)
        moody = request.path.startswith("/moody") and int.from_bytes(request.id.encode()) % 3 == 0
        return 503 if first and moody else 200

    # Many connect at once; who is killed hangs up.
    monkeypatch.setattr(ThreadingHTTPServer, "request_queue_size", 128)
    monkeypatch.setattr(ThreadingHTTPServer, "handle_error", lambda *_: None)
    with Receiver(answer) as receiver:
        yield receiver
        ended.set()


@pytest.fixture
def chance() -> random.Random:
    """Random moments. A failed test shows the seed; `FAULTS_SEED` repeats them."""
    seed = int(os.environ.get("FAULTS_SEED") or time.time_ns() % 1_000_000)
    print(f"FAULTS_SEED={seed}")
    return random.Random(seed)
