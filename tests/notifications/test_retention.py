"""What is old goes, whole and in short batches; what is still to be sent stays whole."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from structlog.testing import capture_logs

from channels_app.services import pause_channel
from notifications import retention, services
from notifications.events import EVENT_TYPES
from notifications.events.alerts import ALERT_PREFIX
from notifications.latencies import BOUNDS_MS
from notifications.models import Alert, ChannelHour, Delivery, Event, HistoryEntry, ReplayJob
from tests.notifications.alerting import make_alert
from tests.notifications.old_rows import after_each_batch, finished, held, kept

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def thirty_days_in_batches_of_two(settings, monkeypatch):
    settings.RETENTION_DAYS = 30
    monkeypatch.setattr(retention, "BATCH", 2)


class TestWhatGoes:
    def test_what_is_older_than_the_retention_goes_whole_and_in_batches(self, channel):
        for _ in range(5):
            finished(channel, status="failed", deliveries=3)
        young = finished(channel, days=29)
        unheard = Event.objects.create(type="order.completed", source="shop", body="{}")
        Event.objects.filter(pk=unheard.pk).update(created_at=timezone.now() - timedelta(days=31))
        assert retention.purge() == 6
        assert kept() == {young.event_id: (1, 1)}
        assert retention.purge() == 0

    def test_events_of_the_same_moment_go_as_well(self, channel):
        for _ in range(5):
            finished(channel)
        Event.objects.update(created_at=timezone.now() - timedelta(days=40))
        assert retention.purge() == 5
        assert kept() == {}

    def test_an_event_that_is_still_to_be_sent_to_somebody_stays_whole(self, channel):
        delivery = finished(channel)
        Delivery.objects.create(event=delivery.event, event_type="order.completed", channel=channel)
        assert retention.purge() == 0
        assert kept() == {delivery.event_id: (2, 1)}

    def test_counts_and_alerts_go_as_well_and_what_is_younger_stays(self, channel):
        now = timezone.now()
        for days in (34, 33, 32, 31, 29):
            ChannelHour.objects.create(
                channel=channel, hour=now - timedelta(days=days), succeeded=1, latencies=[0] * len(BOUNDS_MS)
            )
            alert_id = make_alert(channel, days=days)
        retention.purge()
        assert [hour.hour for hour in ChannelHour.objects.all()] == [now - timedelta(days=29)]
        assert list(Alert.objects.values_list("pk", flat=True)) == [alert_id]

    def test_finished_replays_go_and_running_ones_and_the_history_stay(self, channel):
        old, young = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=29)
        made = partial(ReplayJob.objects.create, channel=channel, since=old, count=1, requested_by="test")
        made(status="finished", finished_at=old)
        staying = [made(status="finished", finished_at=young), made(status="running")]
        ReplayJob.objects.update(created_at=old)
        services.set_event_type_enabled(event_type=EVENT_TYPES["order.completed"], enabled=True, by="ada")
        HistoryEntry.objects.update(at=timezone.now() - timedelta(days=3650))
        retention.purge()
        assert set(ReplayJob.objects.values_list("pk", flat=True)) == {job.pk for job in staying}
        assert HistoryEntry.objects.count() == 1

    def test_one_line_says_what_went(self, channel):
        for _ in range(3):
            finished(channel, deliveries=2)
        held(channel, days=32)
        with capture_logs() as logs:
            retention.purge()
        (line,) = logs
        assert line.pop("duration_ms") >= 0
        assert line == {
            **{"event": "purged", "log_level": "info", "events_passed": 4, "events": 3, "deliveries": 6},
            **{"attempts": 6, "hours": 0, "alerts": 0, "replays": 0},
        }


class TestAHeldBacklog:
    def test_a_run_passes_each_old_row_once_however_many_stay(self, channel):
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        for number in range(20):
            held(channel, days=100 - number)
        for _ in range(6):
            finished(channel)
        batches: list[None] = []
        with capture_logs() as logs, after_each_batch(lambda: batches.append(None)):
            assert retention.purge() == 6
        assert logs[0]["events_passed"] == 26
        assert len(batches) == 26 / 2 + 1  # the last finds nothing more
        assert Delivery.objects.count() == Delivery.objects.filter(status="pending").count() == 20

    def test_a_batch_does_not_read_what_was_passed_before(self, channel):
        def rows_read(staying: int) -> int:
            for number in range(staying):
                held(channel, days=1000 - number)
            now = timezone.now()
            values: dict[str, Any] = {"until": now - timedelta(days=30), "at": now - timedelta(days=50)}
            values |= {"alerts": ALERT_PREFIX, "id": "", "batch": 2}
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
                cursor.execute(
                    f"EXPLAIN (ANALYZE, FORMAT JSON) {retention.PURGE}",
                    values,
                )
                return sum(_read_from("event_created", cursor.fetchone()[0][0]["Plan"]))

        for number in range(10):
            held(channel, days=40 + number / 10)
        assert 2 <= rows_read(1) == rows_read(60) <= 10


def _read_from(index: str, plan: dict[str, Any]) -> Iterator[int]:
    """Of each scan of this index in the plan, the rows."""
    if plan.get("Index Name") == index:
        yield plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    for inner in plan.get("Plans", []):
        yield from _read_from(index, inner)
