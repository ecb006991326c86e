"""PgBouncer in transaction mode, in front of a PostgreSQL whose databases are serializable."""

import json
import signal

import pytest

from tests.production.programs import PgBouncer
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CONTACTS = 40
# Eight threads write one row at a time, each in a statement of its own, as heartbeats are written. Half of them have a
# limit for their statements, as the web process has, and half have none.
CONTEND = """
import threading
from contextlib import nullcontext
from django.db import connection
from config.database.limits import statements_limited
from notifications.delivery.maintenance import beat

failed = []

def write(limited):
    try:
        for _ in range(50):
            with statements_limited(60) if limited else nullcontext():
                beat("contended", at_most_every=0)
    except Exception as error:
        failed.append(error)
    finally:
        connection.close()

threads = [threading.Thread(target=write, args=[number % 2 == 0]) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("failed", failed)
"""
LIMITED = """
import threading
from contextlib import nullcontext
from django.db import OperationalError, connection, transaction
from config.database.limits import statements_limited, was_cancelled

seen = set()

def look(limited):
    for _ in range(100):
        with statements_limited(5) if limited else nullcontext(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            seen.add((limited, cursor.fetchone()[0]))
            with transaction.atomic():
                cursor.execute("SELECT current_setting('statement_timeout')")
                seen.add((limited, cursor.fetchone()[0]))
    if limited:
        try:
            with statements_limited(0.2), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(20)")
        except OperationalError as error:
            seen.add(was_cancelled(error))
    connection.close()

threads = [threading.Thread(target=look, args=[number % 2 == 0]) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(map(str, seen)))
"""
# Holds what every claim needs, whatever its locks are, and stands still.
FREEZE = """
import os, signal
from django.db import connection, transaction

with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute("LOCK TABLE notifications_delivery IN EXCLUSIVE MODE")
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""

# What the doctor says of some of it. How many connections the pooler has to give is not seen through it.
JUDGED = {
    **dict.fromkeys(["database", "migrations", "clock", "worker", "beat", "deliveries", "secrets"], "ok"),
    "connections": "unknown",
}


@pytest.fixture
def pgbouncer(folder, postgres):
    server = PgBouncer(folder, postgres)
    yield server
    server.kill()


def script(tidings, name: str, content: str) -> str:
    """The command that runs this in the shell of Django."""
    file = tidings.folder.parent / f"{name}.py"
    file.write_text(content)
    return f".venv/bin/python manage.py shell --no-imports < {file}"


def test_everything_works_in_transaction_mode(install, postgres, pgbouncer, redis, receiver):
    postgres.create("pooled")
    tidings = install(DATABASE_URL=postgres.url("pooled", port=pgbouncer.port), REDIS_URL=redis.url(2))
    tidings.prepare(pages=False)
    tidings.start("gunicorn")
    tidings.attach(receiver.url, "contact.created", "order.completed")
    for _ in range(3):
        tidings.start("worker")
    tidings.start("beat")
    tidings.buy()
    for number in range(CONTACTS):
        tidings.contact(number)
    wait_until(lambda: len(receiver.received) == CONTACTS + 2, timeout=60)
    assert len({request.id for request in receiver.received}) == CONTACTS + 2
    wait_until(lambda: tidings.try_to(".venv/bin/python manage.py check_delivery").returncode == 0, timeout=60)
    told = json.loads(tidings.try_to(".venv/bin/python manage.py doctor --json").stdout)["checks"]
    assert [each for each in told if "itself failed" in each["says"]] == []
    assert {each["check"]: each["status"] for each in told if each["check"] in JUDGED} == JUDGED
    assert tidings.run(script(tidings, "contend", CONTEND)).strip() == "failed []"
    limits = tidings.run(script(tidings, "limited", LIMITED)).strip()
    assert limits == str(["(False, '0')", "(True, '5s')", "True"])

    frozen = tidings.begin(script(tidings, "freeze", FREEZE))
    try:
        wait_until(lambda: "held" in tidings.log(frozen), timeout=60)
        with postgres.connect("pooled") as connection:
            held = (
                "SELECT 1 FROM pg_locks WHERE mode = 'ExclusiveLock' AND relation = 'notifications_delivery'::regclass"
            )
            assert connection.execute(held).fetchall()
            # PostgreSQL ends the session of the one that stands still, and what the others wait for goes on.
            wait_until(lambda: not connection.execute(held).fetchall(), timeout=30)
        assert frozen.alive()
        tidings.contact(CONTACTS)
        wait_until(lambda: len(receiver.received) == CONTACTS + 3, timeout=30)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
        frozen.kill()
        tidings.forget(frozen)
    tidings.stop(stumbling=True)
