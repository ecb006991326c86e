# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""How a channel is: what waits on it, how it is begun with, and how it did in the last hours and days."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from backoffice.channels import health
from backoffice.charts import per_day, times
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import services, stats
from notifications.events import EVENT_TYPES
from notifications.latencies import BOUNDS_MS, bucket
from notifications.models import ChannelHealth, ChannelHour, Delivery, Event
from notifications.stats import Backlog, channel_backlogs, last_day, last_month
from tests.backoffice.notifications_fixtures import admin, page_of, people, text_of, warehouse
from tests.notifications.deliveries import make_delivery

AHEAD = timedelta(minutes=30)


def make_hour(channel: Channel, at: datetime, *, succeeded: int = 0, failed: int = 0, ms: int = 80) -> None:
    latencies = [0] * len(BOUNDS_MS)
    latencies[bucket(ms)] = succeeded + failed
    ChannelHour.objects.create(channel=channel, hour=at, succeeded=succeeded, failed=failed, latencies=latencies)


def this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def make_in_flight(channel: Channel, **fields: Any) -> Delivery:
    return make_delivery(channel, lease_token=uuid4(), lease_expires_at=timezone.now() + AHEAD, **fields)


def facts(text: str) -> str:
    """The numbers of this moment."""
    return text[text.index("Failures in a row") :].partition(" Last 24 hours")[0]


# At this moment


def test_a_channel_that_does_well_says_how_much_it_may_get(admin, warehouse, settings):
    settings.CHANNEL_CONCURRENCY = 6
    text = text_of(admin.get(page_of(warehouse)))
    assert "Status: Active Pause Edit Delete" in text
    assert "Health At most 6 deliveries are sent to it at a time. Failures in a row" in text
    assert facts(text) == ("Failures in a row 0 Back-off None In flight 0 of at most 6 Due now 0 Held 0 Scheduled 0")


@pytest.mark.parametrize(
    ("health", "status", "sentences", "numbers"),
    [
        (
            {"failures_in_row": 1, "latest_error": "The receiver answered 503."},
            "Active",
            "The last attempt failed, the first 2 hours ago . Latest: The receiver answered 503. At most 8 deliveries",
            "Failures in a row 1 since 2 hours ago Back-off None In flight 0 of at most 8",
        ),
        (
            {"failures_in_row": 4, "in_flight_cap": 3},
            "Active",
            "The last 4 attempts failed, the first 2 hours ago . After a timeout, or a pause with deliveries held, it "
            "is begun with slowly: at most 3 of 8 are sent to it at a time; each success allows one more.",
            "Failures in a row 4 since 2 hours ago Back-off Slow start 3 at a time In flight 0 of at most 3",
        ),
        (
            {"failures_in_row": 5, "in_flight_cap": 1},
            "Failing",
            "The last 5 attempts failed, the first 2 hours ago . So that it can recover, it gets one delivery at a "
            "time, at growing intervals; the next may go now. After a timeout, or a pause with deliveries held, it is "
            "begun with slowly: at most 1 of 8 are sent",
            "Failures in a row 5 since 2 hours ago Back-off Probing the next may go now In flight 0 of at most 1",
        ),
    ],
)
def test_health_is_told_in_words_and_in_numbers(admin, warehouse, settings, health, status, sentences, numbers):
    settings.CHANNEL_CONCURRENCY = 8
    since = datetime.now(UTC) - timedelta(hours=2, minutes=5)
    ChannelHealth.objects.create(channel=warehouse, failing_since=since, **health)
    text = text_of(admin.get(page_of(warehouse)))
    assert f"Status: {status}" in text
    assert sentences in text
    assert numbers in text


def test_a_failing_channel_says_when_it_is_asked_again(admin, warehouse):
    at = datetime(2036, 11, 23, 18, 36, 5, tzinfo=UTC)
    ChannelHealth.objects.create(channel=warehouse, failures_in_row=9, failing_since=datetime.now(UTC), probe_at=at)
    text = text_of(admin.get(page_of(warehouse)))
    assert "the next after 2036-11-23 18:36:05 UTC ." in text
    assert "Back-off Probing next 2036-11-23 18:36:05 UTC In flight 0 of at most 1" in text


def test_what_waits_is_told_apart(admin, warehouse, settings):
    settings.CHANNEL_CONCURRENCY = 8
    for _ in range(3):
        make_delivery(warehouse)
    for _ in range(2):
        make_delivery(warehouse, next_attempt_at=timezone.now() + AHEAD, next_trigger="automatic")
    make_in_flight(warehouse)
    services.send_test(channel_id=warehouse.pk, event_type=EVENT_TYPES["order.completed"], by="test")
    make_in_flight(warehouse, next_trigger="test")
    text = facts(text_of(admin.get(page_of(warehouse))))
    assert "In flight 1 of at most 8 Due now 3 to go out next Held 0 Scheduled 2 to be retried later" in text

    ChannelHealth.objects.create(channel=warehouse, failures_in_row=5, failing_since=timezone.now())
    text = facts(text_of(admin.get(page_of(warehouse))))
    assert "In flight 1 of at most 1 Due now 3 waiting for the next probe Held 0 Scheduled 2" in text

    services.pause_channel(channel_id=warehouse.pk, reason="Flood", by="test")
    text = facts(text_of(admin.get(page_of(warehouse))))
    assert "Back-off Probing once it is resumed" in text
    assert "In flight 1 of at most 1 Due now 0 Held 5 until it is resumed Scheduled 0" in text


def test_what_waits_for_a_slot_says_so(admin, warehouse, settings):
    settings.CHANNEL_CONCURRENCY = 1
    make_in_flight(warehouse)
    make_delivery(warehouse)
    text = facts(text_of(admin.get(page_of(warehouse))))
    assert "In flight 1 of at most 1 Due now 1 waiting for their turn" in text


@pytest.mark.parametrize(("waiting", "shown"), [(3, "3"), (4, "3+"), (9, "3+")])
def test_what_waits_is_counted_up_to_a_bound(admin, warehouse, monkeypatch, waiting, shown):
    monkeypatch.setattr(health, "COUNT_AT_MOST", 3)
    for _ in range(waiting):
        make_delivery(warehouse)
        make_delivery(warehouse, next_attempt_at=timezone.now() + AHEAD)
    text = facts(text_of(admin.get(page_of(warehouse))))
    assert f"Due now {shown} to go out next Held 0 Scheduled {shown} to be retried later" in text
    services.pause_channel(channel_id=warehouse.pk, reason="Flood", by="test")
    assert "Due now 0 Held 3+ until it is resumed Scheduled 0" in facts(text_of(admin.get(page_of(warehouse))))


def test_backlogs_are_each_channels_own_and_leave_out_what_has_ended(warehouse, django_assert_num_queries):
    other = create_channel(name="Other", kind="postback", url="https://example.com/other")
    make_delivery(warehouse)
    make_delivery(warehouse, next_attempt_at=timezone.now() + AHEAD)
    make_in_flight(other)
    make_delivery(other, status="succeeded", next_attempt_at=None, finished_at=timezone.now())
    with django_assert_num_queries(1):
        backlogs = channel_backlogs([warehouse.pk, other.pk], at_most=10)
    assert backlogs == {warehouse.pk: Backlog(due=1, later=1), other.pk: Backlog(in_flight=1)}
    assert channel_backlogs([], at_most=10) == {}


@pytest.mark.slow
def test_counting_reads_no_more_rows_than_the_bound_however_many_wait(warehouse):
    event = Event.objects.create(type="order.completed", source="shop", body="{}")
    for ahead in (-AHEAD, AHEAD):
        at = timezone.now() + ahead
        Delivery.objects.bulk_create(
            Delivery(event=event, event_type=event.type, channel=warehouse, next_attempt_at=at) for _ in range(2000)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_delivery")
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {stats._BACKLOGS}"
        cursor.execute(explain, {"channels": [warehouse.pk], "bound": 100})
        [[[plan]]] = cursor.fetchall()
    scans = [node for node in nodes(plan["Plan"]) if "Index Name" in node]
    assert {scan["Index Name"] for scan in scans} == {"delivery_due", "delivery_leased"}
    assert sorted(scan["Actual Rows"] for scan in scans) == [0, 100, 100]
    assert channel_backlogs([warehouse.pk], at_most=100) == {warehouse.pk: Backlog(due=101, later=101)}


def nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


# The last 24 hours


def test_the_last_day_is_shown_as_numbers_bars_and_a_table(admin, warehouse):
    make_hour(warehouse, this_hour(), succeeded=1200, failed=50, ms=80)
    make_hour(warehouse, this_hour() - timedelta(hours=3), succeeded=750, ms=1000)
    answer = admin.get(page_of(warehouse))
    text = text_of(answer).partition("Last 30 days")[0]
    assert "Deliveries 2,000 finished Success rate 97.5 % 1,950 succeeded Failed 50 not delivered Median" in text
    page = answer.content.decode().partition("month-title")[0]
    assert [page.count(f'class="ui-chart-{part}"') for part in ("succeeded", "failed", "median", "p95")] == [2, 1, 2, 2]
    table = text[text.index("Hour Succeeded Failed Median answer 95th percentile") :]
    assert " 1,200 50 " in table and " 750 0 " in table
    assert table.count(" 0 0 – –") == 22


def test_bars_of_times_keep_within_the_scale(warehouse):
    make_hour(warehouse, this_hour(), succeeded=10, ms=90)
    make_hour(warehouse, this_hour() - timedelta(hours=1), succeeded=10, ms=9000)
    drawn = times(last_day(warehouse.pk))
    assert drawn is not None
    assert drawn.top == "10 s"
    assert len(drawn.bars) == 24
    slow, fast = drawn.bars[-2], drawn.bars[-1]
    assert drawn.height >= slow.p95_height >= slow.median_height > fast.median_height == 2
    for bar in drawn.bars:
        assert (bar.median_y + bar.median_height, bar.p95_y + bar.p95_height) == (100, 100)


def test_without_an_answer_there_are_no_times(warehouse):
    ChannelHour.objects.create(channel=warehouse, hour=datetime.now(UTC), succeeded=0, failed=3, latencies=[])
    assert times(last_day(warehouse.pk)) is None


# The last 30 days


def noon(days_ago: int) -> datetime:
    return datetime.combine(timezone.localdate() - timedelta(days=days_ago), datetime.min.time(), UTC).replace(hour=12)


def test_the_last_month_is_shown_as_bars_and_a_table(admin, warehouse):
    make_hour(warehouse, noon(1), succeeded=1200, failed=50, ms=80)
    make_hour(warehouse, noon(1).replace(hour=13), succeeded=50)
    make_hour(warehouse, noon(29), failed=3)
    make_hour(warehouse, noon(30), succeeded=7)
    answer = admin.get(page_of(warehouse))
    text = text_of(answer)
    text = text[text.index("Last 30 days") :].partition("Send test")[0]
    assert "95.9 % of 1,303 deliveries succeeded." in text
    table = text[text.index("Day Succeeded Failed Success rate Median answer 95th percentile") :]
    assert f"{noon(1):%Y-%m-%d} 1,250 50 96.2 % " in table
    assert f"{noon(29):%Y-%m-%d} 0 3 0 % " in table
    assert table.count(" 0 0 – – –") == 28
    assert f"{noon(30):%Y-%m-%d}" not in table
    page = answer.content.decode()
    page = page[page.index("month-title") :]
    assert [page.count(f'class="ui-chart-{part}"') for part in ("succeeded", "failed")] == [1, 2]


def test_the_days_of_a_month_add_up_and_are_of_one_channel(warehouse, django_assert_num_queries):
    other = create_channel(name="Other", kind="postback", url="https://example.com/other")
    make_hour(other, noon(2), succeeded=99)
    make_hour(warehouse, noon(2), succeeded=6, failed=2, ms=80)
    make_hour(warehouse, noon(2).replace(hour=13), succeeded=2, ms=80)
    with django_assert_num_queries(1):
        month = last_month(warehouse.pk)
    assert [on for on, _ in month.days] == [timezone.localdate() - timedelta(days=ago) for ago in range(29, -1, -1)]
    finished = {on: (summary.succeeded, summary.failed) for on, summary in month.days if summary.finished}
    assert finished == {noon(2).date(): (8, 2)}
    assert (month.totals.succeeded, month.totals.failed, month.totals.success_rate_text) == (8, 2, "80.0 %")
    median = month.days[-3][1].median_ms
    assert median is not None and 64 <= median <= 96


@pytest.mark.parametrize(("zone", "days_before"), [("UTC", 3), ("Asia/Tokyo", 2), ("America/New_York", 3)])
def test_days_are_those_of_whoever_looks(warehouse, zone, days_before):
    with timezone.override(ZoneInfo(zone)):
        make_hour(
            warehouse,
            datetime.combine(utc_today() - timedelta(days=3), datetime.min.time(), UTC).replace(hour=18),
            succeeded=1,
        )
        [day] = [on for on, summary in last_month(warehouse.pk).days if summary.finished]
        assert day == utc_today() - timedelta(days=days_before)


def utc_today() -> date:
    return datetime.now(UTC).date()


def test_a_month_is_no_longer_than_what_is_kept(admin, warehouse, settings):
    settings.RETENTION_DAYS = 7
    make_hour(warehouse, noon(3), succeeded=4)
    assert len(last_month(warehouse.pk).days) == 7
    assert "Last 7 days Succeeded Failed" in text_of(admin.get(page_of(warehouse)))


def test_bars_of_days_stand_on_each_other_within_the_scale(warehouse):
    make_hour(warehouse, noon(0), succeeded=3000, failed=1)
    make_hour(warehouse, noon(1), failed=40)
    drawn = per_day(last_month(warehouse.pk))
    assert drawn is not None
    assert (drawn.top, drawn.middle, drawn.width, len(drawn.bars)) == (4000, 2000, 300, 30)
    many, few = drawn.bars[-1], drawn.bars[-2]
    assert (many.succeeded_y, many.succeeded_height) == (25, 75)
    assert (many.failed_y, many.failed_height) == (23, 2)  # seen, although it is one in thousands
    assert (few.succeeded_height, few.failed_y, few.failed_height) == (0, 98, 2)
    assert [bar.on for bar in drawn.bars if bar.summary.finished] == [noon(1).date(), noon(0).date()]


def test_where_nothing_was_finished_no_month_is_drawn(admin, warehouse):
    assert per_day(last_month(warehouse.pk)) is None
    text = text_of(admin.get(page_of(warehouse)))
    assert "Last 30 days No delivery to it was finished in this time." in text


def test_who_may_not_read_the_log_sees_how_it_stands_but_not_how_it_did(sign_in, warehouse):
    make_hour(warehouse, this_hour(), succeeded=5)
    make_delivery(warehouse)
    text = text_of(sign_in("channels_app.view_channel").get(page_of(warehouse)))
    assert "Due now 1 to go out next" in text
    assert "Last 24 hours" not in text and "Last 30 days" not in text
