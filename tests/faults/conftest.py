import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from demo.local.servers import socket_folder
from tests.channels_app.kinds.receivers import Arrived, Receivers
from tests.faults.installation import Installation

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
def tidings(installation: Installation, receiver: Receivers) -> Iterator[Installation]:
    """Without a channel, an event, a worker or a beat. Its mails go to the receiver."""
    installation.environment |= receiver.settings
    yield installation
    installation.clear()


@pytest.fixture
def receiver() -> Iterator[Receivers]:
    """Of each kind: takes all under `/quick` at once, under `/slow` after a while, under `/moody` some not at first.

    The paths begin with the kind: `/email/quick/1`.
    """
    arrived: Counter[tuple[str, str]] = Counter()
    lock, ended = threading.Lock(), threading.Event()

    def answer(message: Arrived) -> int:
        with lock:
            arrived[message.path, message.event] += 1
            first = arrived[message.path, message.event] == 1
        manner = message.path.split("/")[2]
        if manner == "slow":
            ended.wait(SLOW_SECONDS)
        moody = manner == "moody" and int.from_bytes(message.event.encode()) % 3 == 0
        return 503 if first and moody else 200

    with Receivers(answer) as receiver:
        yield receiver
        ended.set()


@pytest.fixture
def chance() -> random.Random:
    """Random moments. A failed test shows the seed; `FAULTS_SEED` repeats them."""
    seed = int(os.environ.get("FAULTS_SEED") or time.time_ns() % 1_000_000)
    print(f"FAULTS_SEED={seed}")
    return random.Random(seed)
