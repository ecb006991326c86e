"""PostgreSQL restarted under load: what was answered stands, and what was recorded is not sent again."""

import os
import signal
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException

import pytest

from demo.local import processes
from tests.channels_app.kinds.receivers import RECEIVERS
from tests.faults.installation import Installation
from tests.faults.telling import prove_nothing_is_lost
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

PATHS = ("/quick", "/slow", "/moody")
EVENTS = 40


def shut_down(tidings: Installation) -> None:
    """SIGINT: clients are disconnected, open transactions rolled back."""
    tidings.postgres.stop()


def crash(tidings: Installation) -> None:
    """SIGKILL of every process of PostgreSQL, the postmaster first; the next start recovers from the log."""
    helpers = [pid for (pid,) in tidings.ask("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
    assert tidings.postgres.child
    tidings.postgres.child.kill()
    for pid in helpers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(processes.identity(pid) is None for pid in helpers))


def sell_until_answered(tidings: Installation, number: int) -> None:
    """As a shop does: the same call with the same idempotency key, until it is answered."""
    deadline = time.monotonic() + 30

    def answered() -> bool:
        try:
            tidings.contact(number, key=f"contact {number}")
        except urllib.error.HTTPError as error:
            assert error.code in {409, 500, 503}, error
            return False
        except (OSError, HTTPException):
            return False
        return True

    wait_until(answered, timeout=deadline - time.monotonic(), interval=0.05)


def test_restarts_of_postgresql_under_load_lose_nothing(tidings, receiver, chance):
    for path in PATHS:
        tidings.channels(receiver, path, "contact.created")
    workers = [tidings.worker(), tidings.worker()]
    with ThreadPoolExecutor(2) as shops:
        sold = [shops.submit(sell_until_answered, tidings, number) for number in range(EVENTS)]
        for stop in chance.sample([shut_down, crash], 2):
            moment = len(receiver.received) + chance.randint(10, 40)
            wait_until(lambda moment=moment: len(receiver.received) >= moment, timeout=60, interval=0.001)
            stop(tidings)
            tidings.postgres.start()
        for each in sold:
            each.result()
    tidings.settle()
    assert all(worker.alive() for worker in workers)

    # The clock of a worker goes on, too, when no doorbell wakes it.
    workers.pop().kill()
    tidings.valkey.stop()
    tidings.contact(EVENTS)
    tidings.settle()
    prove_nothing_is_lost(tidings, receiver, events=EVENTS + 1, channels=len(PATHS) * len(RECEIVERS))
    # Each call that was answered is one event, however often it was repeated.
    assert tidings.ask("SELECT count(*) FROM orders_contact") == [(EVENTS + 1,)]
