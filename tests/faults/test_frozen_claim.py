"""A worker that is stopped while it holds the claim's lock, with large bodies due, does not stop the others."""

import os
import signal
import subprocess
import sys

import pytest

from tests.demo.local.launching import PROJECT
from tests.faults.installation import DELIVERIES
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

BODIES, BODY_BYTES, CHANNELS = 64, 100_000, 16
# PostgreSQL ends who stands still within a transaction after ten seconds.
PATIENCE_SECONDS = 60

BODY = '{"data": "' + "x" * BODY_BYTES + '"}'
EVENTS = """
INSERT INTO notifications_event (id, type, source, body, facts, routing, created_at)
SELECT 'evt_' || number, 'contact.created', 'shop', %s, '{}', '[]', now() FROM generate_series(1, %s) number
RETURNING id
"""
DUE = f"""
INSERT INTO {DELIVERIES}
    (id, event_id, event_type, channel_id, status, next_attempt_at, next_trigger, attempts_made, automatic_retries,
     unknowns_in_row, outcome, error, created_at)
SELECT 'dlv_' || event.id, event.id, 'contact.created', channel.id, 'pending', now(), 'first', 0, 0, 0, '', '', now()
FROM (SELECT id, row_number() OVER () AS number FROM notifications_event) event
JOIN (SELECT id, row_number() OVER () AS number FROM channels_app_channel) channel
    ON channel.number = 1 + event.number %% %s
RETURNING id
"""
ATTEMPTS = "SELECT number, trigger, outcome, error, count(*) FROM notifications_deliveryattempt GROUP BY 1, 2, 3, 4"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.mark.parametrize("way", ["a Unix socket", "TCP"])
def test_the_others_wait_for_some_seconds_and_end_at_sigterm_meanwhile(tidings, receiver, way):
    url = tidings.postgres.url if way == "a Unix socket" else tidings.postgres.tcp_url
    environment = {"DATABASE_URL": url}
    to = receiver.by_kind["postback"].channel("/postback/quick")
    for number in range(CHANNELS):
        tidings.channel(f"/quick/{number}", to)
    tidings.ask(EVENTS, BODY, BODIES)
    assert len(tidings.ask(DUE, CHANNELS)) == BODIES
    command = [sys.executable, "-m", "tests.faults.frozen_claimer"]
    frozen = subprocess.Popen(command, cwd=PROJECT, env={**tidings.environment, **environment})
    try:
        _, status = os.waitpid(frozen.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        leaving, staying = tidings.worker(**environment), tidings.worker(**environment)
        wait_until(lambda: tidings.ask(WAITING) == [(2,)], PATIENCE_SECONDS)
        os.kill(leaving.pid, signal.SIGTERM)
        wait_until(lambda: not leaving.alive(), PATIENCE_SECONDS / 2)
        tidings.settle(PATIENCE_SECONDS)
        assert staying.alive()
    finally:
        frozen.kill()
        frozen.wait()
    assert tidings.ask(ATTEMPTS) == [(1, "first", "succeeded", "", BODIES)]
    assert tidings.ask(f"SELECT status, count(*) FROM {DELIVERIES} GROUP BY 1") == [("succeeded", BODIES)]
