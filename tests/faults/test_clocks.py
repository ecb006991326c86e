"""Hosts whose clocks are apart: what decides anything, and what leaves the process, is the time of the database.

The programs are those of production, under libfaketime (Debian's package `faketime`).
"""

import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from demo.local.processes import Child
from tests.faults.installation import Installation
from tests.servers.receiver import Receiver
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),  # for the starts that are tried again
    pytest.mark.skipif(
        not list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), reason="The package faketime is missing."
    ),
]

# The receivers' tolerance by the specification is five minutes; this is for a machine that does other things, too.
TOLERANCE_SECONDS = 60
START_SECONDS, STARTS = 15, 5
# Columns that hold a time to come, and by how much at most.
TO_COME = {
    "previous_secret_until": timedelta(hours=24),
    "next_attempt_at": timedelta(hours=2),
    "lease_expires_at": timedelta(minutes=1),
    "probe_at": timedelta(minutes=1),
}


def clock(offset: str) -> dict[str, str]:
    """For the environment of a program whose host's clock is so far ahead (`+7s`) or behind (`-1d`)."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    # Spans are measured with the monotonic clock, which no correction of the time moves.
    return {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def worker_with_a_clock(tidings: Installation, offset: str) -> Child:
    """One that has claimed. Now and then libfaketime holds up a program for ever before its first line."""
    seen = "SELECT count(*) FROM notifications_heartbeat WHERE name = 'worker'"
    for times_left in reversed(range(STARTS)):
        worker = tidings.worker(**clock(offset))
        try:
            wait_until(lambda: tidings.ask(seen) == [(1,)], timeout=START_SECONDS)
            return worker
        except AssertionError:
            if tidings.log(worker) or not times_left:
                raise
            worker.kill()
    raise AssertionError("The last start either returns or raises.")


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with Receiver() as hook:
        yield hook


@pytest.mark.parametrize("offset", ["+7s", "+70s", "+1d", "-1d"])
def test_a_worker_whose_clock_is_wrong_does_all_of_its_work(tidings: Installation, hook, offset):
    tidings.channel("Warehouse", {"kind": "postback", "url": hook.url}, "order.completed")
    tidings.channel("Told of alerts", {"kind": "postback", "url": f"{hook.url}/alerts"})
    tidings.ask(
        "INSERT INTO notifications_alertchannel (channel_id, chosen_by) "
        "SELECT id, 'test' FROM channels_app_channel WHERE name = 'Told of alerts'"
    )
    paused = tidings.call("POST", "/channels", {"name": "Paused", "kind": "postback", "url": hook.url})["id"]
    worker = worker_with_a_clock(tidings, offset)
    tidings.beat()

    # The buyer never comes to the thank-you page.
    order = tidings.order(1, source="funnel", funnel="spring")
    tidings.purchase(order)
    tidings.call("POST", f"/channels/{paused}/pause")
    wait_until(lambda: {request.path for request in hook.received} == {"/hook", "/hook/alerts"}, timeout=60)
    completed = [request for request in hook.received if request.path == "/hook"]
    assert [request.event["data"]["order"]["number"] for request in completed] == [order]
    assert [request.event["data"]["order"]["status"] for request in completed] == ["completed"]
    beat_seen = "SELECT now() - at < interval '1 minute' FROM notifications_heartbeat WHERE name = 'beat'"
    wait_until(lambda: tidings.ask(beat_seen) == [(True,)], timeout=60)
    tidings.settle()
    assert wrong_times(tidings) == []
    assert worker.alive()
    apart = {request.path: int(request.headers["webhook-timestamp"]) - time.time() for request in hook.received}
    assert {path for path, seconds in apart.items() if abs(seconds) > TOLERANCE_SECONDS} == set(), apart


@pytest.mark.parametrize("offset", ["+1d", "-1d"])
def test_what_a_host_with_a_wrong_clock_writes_has_the_time_of_the_database(tidings: Installation, hook, offset):
    """Every column of every table that holds a time, after one of each thing that people and shops do."""
    for times_left in reversed(range(STARTS)):
        try:
            tidings.run("everything", hook.url, timeout=3 * START_SECONDS, **clock(offset))
            break
        except subprocess.TimeoutExpired:
            if tidings.ask("SELECT count(*) FROM channels_app_channel") != [(0,)] or not times_left:
                raise
    written, wrong = times(tidings), wrong_times(tidings)
    assert wrong == [], [name for name, _, _ in wrong]
    assert {
        *("orders_order.created_at", "orders_order.completed_at", "orders_subscription.canceled_at"),
        *("channels_app_channel.paused_at", "channels_app_channel.resumed_at", "channels_app_channel.archived_at"),
        *("channels_app_channel.previous_secret_until", "notifications_event.created_at"),
        *("notifications_deliveryattempt.started_at", "api_idempotencyrecord.created_at", "api_apikey.last_used_at"),
        *("notifications_eventtypeswitch.changed_at", "orders_order.tracking", "notifications_event.body"),
    } <= {name for name, _, _ in written}


def times(tidings: Installation) -> list[tuple[str, timedelta, timedelta]]:
    """Of each column that holds times: how far the earliest and the latest is from now, and those within bodies."""
    columns = tidings.ask(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type = 'timestamp with time zone' "
        "AND table_name ~ '^(orders|channels_app|notifications|api)_' AND column_name <> 'hour'"
    )
    within = {
        # How far the counts were made anew is of the past.
        ("notifications_heartbeat", "at"): "CASE WHEN name <> 'recount' THEN at END",
        ("orders_order", "tracking"): "(tracking->>'updated_at')::timestamptz",
        ("notifications_event", "body"): "(body::jsonb->>'timestamp')::timestamptz",
    }
    asked = {column: column[1] for column in columns} | within
    found = []
    for (table, column), time_ in asked.items():
        ((earliest, latest),) = tidings.ask(f"SELECT min({time_}) - now(), max({time_}) - now() FROM {table}")
        if earliest is not None:
            found.append((f"{table}.{column}", earliest, latest))
    return found


def wrong_times(tidings: Installation) -> list[tuple[str, timedelta, timedelta]]:
    """What was written, in this database that is minutes old, by another clock than its own."""
    tolerated = timedelta(minutes=20)
    return [
        (name, earliest, latest)
        for name, earliest, latest in times(tidings)
        if earliest < -tolerated or latest > tolerated + TO_COME.get(name.split(".")[1], timedelta())
    ]
