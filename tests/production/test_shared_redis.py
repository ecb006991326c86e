"""Tidings shares a Redis, and the database in it, with another Celery application and another Tidings."""

import os
import subprocess
import sys
from functools import partial

import pytest

from tests.demo.local.launching import PROJECT
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TASKS = 30


@pytest.fixture
def foreign(redis, folder):
    """Runs a worker of the other application, and hands over what it calls itself with."""
    environment = {**os.environ, "FOREIGN_BROKER": redis.url(1)}
    # With it Celery would set up Django, and our engine would claim in the database of the tests.
    del environment["DJANGO_SETTINGS_MODULE"]
    log = folder / "foreign.log"
    with log.open("wb") as stream:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.production.foreign", "worker", "--pool", "solo"],
            cwd=PROJECT,
            env=environment,
            stdout=stream,
            stderr=stream,
        )
    yield environment, log
    worker.kill()
    worker.wait()


def test_nobody_takes_the_tasks_of_another(install, postgres, prepared, redis, receiver, foreign):
    environment, log = foreign
    installations = []
    for number, name in enumerate(("one", "two")):
        postgres.create(f"shared_{name}", template=prepared.database)
        tidings = install(
            DATABASE_URL=postgres.url(f"shared_{name}"),
            REDIS_URL=redis.url(1),
            SECRET_KEY=f"a key of installation {name} alone, long enough for all",
            # The sweep is too rare to find what is due: only the doorbell's hint wakes the worker.
            SWEEP_INTERVAL_SECONDS="60",
        )
        tidings.key = prepared.key
        tidings.start("gunicorn")
        tidings.start("worker")
        tidings.attach(f"{receiver.url}/{name}", "contact.created")
        installations.append(tidings)
        wait_until(partial(listens, redis, number + 2), timeout=60)
    installations[0].start("beat")

    send = f"from tests.production.foreign import note; [note.delay(str(n)) for n in range({TASKS})]"
    subprocess.run([sys.executable, "-c", send], cwd=PROJECT, env=environment, check=True)
    for number in range(3):
        for tidings in installations:
            tidings.contact(number)
        wait_until(partial(arrived, receiver, 2 * (number + 1)), timeout=30)
    client = redis.client(1)
    wait_until(lambda: client.llen("foreign-noted") == TASKS, timeout=30)
    with postgres.connect("shared_one") as connection:
        beaten = "SELECT count(*) FROM notifications_heartbeat WHERE name = 'beat'"
        wait_until(lambda: connection.execute(beaten).fetchone() == (1,), timeout=30)
    with postgres.connect("shared_two") as connection:
        assert connection.execute(beaten).fetchone() == (0,)

    told = log.read_text()
    assert ("unregistered" in told, "notifications.tasks" in told) == (False, False)
    foreign_keys = {b"foreign-noted", b"celery", b"unacked", b"unacked_index", b"unacked_mutex"}
    ours = {key for key in client.scan_iter() if key not in foreign_keys and not key.startswith(b"_kombu.")}
    assert ours and all(key.startswith(b"tidings:") for key in ours)
    # Whoever asks the workers hears from his own.
    answer = installations[0].run(".venv/bin/celery -A config inspect ping")
    assert answer.count("pong") == 1
    for tidings in installations:
        tidings.stop()


def listens(redis, workers: int) -> bool:
    """Whether so many workers wait for a message."""
    return [client["cmd"] for client in redis.client(1).client_list()].count("brpop") == workers


def arrived(receiver, postbacks: int) -> bool:
    return len(receiver.received) == postbacks
