"""Forgetting what is old while others are at it, and being interrupted: every event stays whole or goes whole."""

import threading
from typing import Any

import pytest
from django.db import DatabaseError, connection

from notifications import retention, services, tasks
from notifications.errors import Conflict
from notifications.models import Alert, Delivery, Event, HistoryEntry
from tests.notifications.alerting import make_alert
from tests.notifications.old_rows import after_each_batch, finished, held_by_somebody, kept, meanwhile
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def thirty_days_in_batches_of_two(settings, monkeypatch):
    settings.RETENTION_DAYS = 30
    monkeypatch.setattr(retention, "BATCH", 2)


class TestOthersAtTheSameTime:
    def test_one_that_is_being_retried_stays_whole(self, channel):
        retried, other = finished(channel, status="failed", deliveries=2), finished(channel)
        with held_by_somebody(lambda: services.retry_delivery(delivery_id=retried.pk, by="test")):
            assert retention.purge() == 1
        assert kept() == {retried.event_id: (2, 2)}
        assert retention.purge() == 0
        assert not Event.objects.filter(pk=other.event_id).exists()

    def test_a_retry_of_what_is_going_finds_nothing(self, channel):
        gone = finished(channel, status="failed")
        refused: list[type[BaseException]] = []

        def retry() -> None:
            try:
                services.retry_delivery(delivery_id=gone.pk, by="test")
            except (Delivery.DoesNotExist, Conflict) as error:
                refused.append(type(error))

        threads: list[Any] = []

        def begin_retry() -> None:
            if not threads:
                threads.append(meanwhile(retry))
                threads[0].__enter__()
                _wait_for_a_lock()

        with after_each_batch(begin_retry):
            assert retention.purge() == 1
        threads[0].__exit__(None, None, None)
        assert refused == [Delivery.DoesNotExist]
        assert kept() == {}
        assert not HistoryEntry.objects.exists()

    def test_of_two_purges_the_second_ends_at_once(self, channel):
        for _ in range(5):
            finished(channel)
        second: list[int] = []

        def purge_as_well() -> None:
            if not second:
                with meanwhile(lambda: second.append(retention.purge())):
                    pass

        with after_each_batch(purge_as_well):
            assert retention.purge() == 5
        assert second == [0]
        assert kept() == {}

    @pytest.mark.parametrize("held", ["the event", "one of its deliveries"])
    def test_an_event_that_somebody_holds_stays_with_all_it_has(self, channel, held):
        holding, other = finished(channel, deliveries=2), finished(channel)
        model, key = (Event, holding.event_id) if held == "the event" else (Delivery, holding.pk)
        with held_by_somebody(lambda: model.objects.select_for_update().get(pk=key)):
            assert retention.purge() == 1
        assert kept() == {holding.event_id: (2, 2)}
        assert retention.purge() == 1
        assert not Event.objects.filter(pk=other.event_id).exists()

    @pytest.mark.parametrize("table", ["event", "delivery", "deliveryattempt", "alert"])
    def test_a_table_that_somebody_holds_is_left_to_the_next_purge(self, channel, monkeypatch, table):
        monkeypatch.setattr(retention, "LOCK_TIMEOUT", "20ms")
        finished(channel)
        make_alert(channel, days=31)

        def lock() -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE notifications_{table} IN ACCESS EXCLUSIVE MODE")

        with held_by_somebody(lock):
            assert retention.purge() == (1 if table == "alert" else 0)
        assert (Event.objects.count(), Alert.objects.count()) == ((0, 1) if table == "alert" else (1, 1))
        retention.purge()
        assert (kept(), Alert.objects.count()) == ({}, 0)


class TestInterrupted:
    @pytest.mark.parametrize("how", ["an exception", "the session ends"])
    def test_in_the_middle_of_a_batch_it_leaves_every_event_whole(self, channel, how):
        for _ in range(5):
            finished(channel, deliveries=2)
        batches: list[None] = []

        def interrupt() -> None:
            batches.append(None)
            if len(batches) == 2:
                if how == "an exception":
                    raise SystemExit
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        with after_each_batch(interrupt), pytest.raises((SystemExit, DatabaseError)):
            retention.purge()
        connection.close()
        assert list(kept().values()) == [(2, 2)] * 3
        assert retention.purge() == 3
        assert kept() == {}

    def test_a_worker_that_ends_does_so_after_the_present_batch(self, channel, monkeypatch):
        for _ in range(5):
            finished(channel, deliveries=2)
        monkeypatch.setattr(tasks, "shutting_down", threading.Event())
        with after_each_batch(tasks._begin_nothing_more):
            assert tasks.purge() == 2
        assert list(kept().values()) == [(2, 2)] * 3


def _wait_for_a_lock() -> None:
    """Until some session waits for another one's row."""

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
            return bool(cursor.fetchone()[0])

    wait_until(waits)
