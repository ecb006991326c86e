# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What the page of one channel tells."""

import html
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_app import verification
from channels_app.admin.chart import times
from notifications import services
from notifications.catalogue import EVENT_TYPES
from notifications.latencies import BOUNDS_MS, bucket
from notifications.models import ChannelHealth, ChannelHour
from notifications.stats import last_day
from tests.admin.notifications_fixtures import (
    admin,
    failed,
    make_failed,
    order,
    page_of,
    people,
    text_of,
    url,
    warehouse,
)

ORDER_COMPLETED = EVENT_TYPES["order.completed"]


def make_hour(channel, *, hours_ago: int, succeeded: int, failed: int, ms: int) -> None:
    latencies = [0] * len(BOUNDS_MS)
    latencies[bucket(ms)] = succeeded + failed
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours_ago)
    ChannelHour.objects.create(channel=channel, hour=hour, succeeded=succeeded, failed=failed, latencies=latencies)


def test_viewers_read_everything_and_are_offered_nothing(people, warehouse, failed):
    services.attach_channel(event_type=ORDER_COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="ada")
    answer = people["Viewers"].get(page_of(warehouse))
    text = text_of(answer)
    assert "Event type Sources Order completed Turned off Shop" in text
    assert f"Order completed {failed.event.order.number} Failed 503 1 now" in text
    assert "Warehouse was linked to Order completed: Shop. ada now" in text
    assert "Authorization: ••••••••" in text
    assert not {"Edit", "Delete", "Pause", "Reveal", "Rotate", "Replay"} & set(text.split())
    page = answer.content.decode()
    assert page[page.index("<main") : page.index("</main>")].count("<form") == 0


def test_an_event_type_that_is_on_is_not_called_off(admin, warehouse):
    services.set_event_type_enabled(event_type=ORDER_COMPLETED, enabled=True, by="ada")
    services.attach_channel(event_type=ORDER_COMPLETED, channel_id=warehouse.pk, sources=["shop", "funnel"], by="ada")
    assert "Order completed Shop Funnel" in text_of(admin.get(page_of(warehouse)))


def test_who_may_not_read_the_log_sees_the_channel_without_it(sign_in, warehouse, failed):
    text = text_of(sign_in("channels_app.view_channel").get(page_of(warehouse)))
    assert "https://example.com/hook" in text
    for heading in ("Recent deliveries", "Last 24 hours", "History"):
        assert heading not in text


def test_a_channel_that_does_well_says_how_much_it_may_get(admin, warehouse, settings):
    settings.CHANNEL_CONCURRENCY = 6
    assert "Status: Active Pause Edit Delete At most 6 deliveries are sent to it at a time." in text_of(
        admin.get(page_of(warehouse))
    )


@pytest.mark.parametrize(
    ("health", "status", "sentences"),
    [
        (
            {"failures_in_row": 1, "latest_error": "The receiver answered 503."},
            "Active",
            "The last attempt failed, the first 2 hours ago . The receiver answered 503. At most 8 deliveries",
        ),
        ({"failures_in_row": 4}, "Active", "The last 4 attempts failed, the first 2 hours ago ."),
        (
            {"failures_in_row": 5, "in_flight_cap": 1},
            "Failing",
            "The last 5 attempts failed, the first 2 hours ago . So that it can recover, it gets one delivery at a "
            "time, at growing intervals; the next may go now. After a timeout, or a pause with deliveries held, it is "
            "begun with slowly: at most 1 of 8 are sent",
        ),
    ],
)
def test_health_is_told_in_words(admin, warehouse, settings, health, status, sentences):
    settings.CHANNEL_CONCURRENCY = 8
    since = datetime.now(UTC) - timedelta(hours=2, minutes=5)
    ChannelHealth.objects.create(channel=warehouse, failing_since=since, **health)
    text = text_of(admin.get(page_of(warehouse)))
    assert f"Status: {status}" in text
    assert sentences in text


def test_a_failing_channel_says_when_it_is_asked_again(admin, warehouse):
    at = datetime(2036, 11, 23, 18, 36, 5, tzinfo=UTC)
    ChannelHealth.objects.create(channel=warehouse, failures_in_row=9, failing_since=datetime.now(UTC), probe_at=at)
    assert "the next after 2036-11-23 18:36:05 UTC ." in text_of(admin.get(page_of(warehouse)))


def test_the_last_day_is_shown_as_numbers_bars_and_a_table(admin, warehouse):
    make_hour(warehouse, hours_ago=0, succeeded=1200, failed=50, ms=80)
    make_hour(warehouse, hours_ago=3, succeeded=750, failed=0, ms=1000)
    answer = admin.get(page_of(warehouse))
    text = text_of(answer)
    assert "Deliveries 2,000 Success rate 97.5 % Failed 50" in text
    page = answer.content.decode()
    assert [page.count(f'class="ui-chart-{part}"') for part in ("succeeded", "failed", "median", "p95")] == [2, 1, 2, 2]
    table = text[text.index("Hour Succeeded Failed Median answer 95th percentile") :]
    assert " 1,200 50 " in table and " 750 0 " in table
    assert table.count(" 0 0 – –") == 22


def test_bars_of_times_keep_within_the_scale(warehouse):
    make_hour(warehouse, hours_ago=0, succeeded=10, failed=0, ms=90)
    make_hour(warehouse, hours_ago=1, succeeded=10, failed=0, ms=9000)
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


def test_empty_parts_say_what_would_fill_them(admin, warehouse):
    text = text_of(admin.get(page_of(warehouse)))
    assert "It is attached to no event type yet, so nothing is sent to it. Choose one in System notifications ." in text
    assert "Nothing has been sent to it yet. A test shows whether its receiver answers." in text
    assert "No delivery to it was finished in the last 24 hours." in text


def test_the_samples_that_verify_a_signature_stand_there_with_copy_buttons(admin, warehouse):
    page = html.unescape(admin.get(page_of(warehouse)).content.decode())
    for sample in verification.samples():
        assert sample.code in page
        assert f'data-copy="#sample-{sample.language}"' in page


def test_the_history_is_the_latest_ten_with_a_link_to_all(admin, warehouse):
    for number in range(12):
        services.update_channel(channel_id=warehouse.pk, by="ada", name=f"Name {number}")
    answer = admin.get(page_of(warehouse))
    assert answer.content.decode().count("was edited: name") == 10
    assert f"{url('notifications_historyentry_changelist')}?channel={warehouse.pk}" in answer.content.decode()


def test_the_address_of_djangos_history_leads_to_that_of_tidings(people, warehouse):
    answer = people["Viewers"].get(page_of(warehouse, "history"))
    assert (answer.status_code, answer.url) == (
        302,
        f"{url('notifications_historyentry_changelist')}?channel={warehouse.pk}",
    )
    assert people["Order staff"].get(page_of(warehouse, "history")).status_code == 403


def test_the_page_takes_as_many_queries_with_a_full_log_as_with_one_delivery(admin, warehouse, order, failed):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(page_of(warehouse)).status_code == 200
        return len(captured)

    services.attach_channel(event_type=ORDER_COMPLETED, channel_id=warehouse.pk, sources=["shop"], by="ada")
    queries()  # what is cached from the first request on
    one = queries()
    for event_type in list(EVENT_TYPES.values())[1:]:
        services.attach_channel(event_type=event_type, channel_id=warehouse.pk, sources=["shop"], by="ada")
    for _ in range(30):
        make_failed(warehouse, order)
    assert queries() == one
