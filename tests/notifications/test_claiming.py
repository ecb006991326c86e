"""Leases, caps, recovery and recording: what holds over several workers."""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel, rotate_secret
from channels_app.transports import Answer, Outcome
from notifications.delivery import engine as module
from notifications.delivery.claim import CLAIM_LOCK, claim
from notifications.delivery.maintenance import NOT_SENT, abandon, recover
from notifications.delivery.record import record
from notifications.delivery.send import Result, send
from notifications.models import ChannelHealth, Delivery, DeliveryAttempt
from notifications.services import archive_channel
from tests.notifications.deliveries import claim_all, let_leases_run_out, make_delivery, story
from tests.servers.receiver import Receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class TestCaps:
    def test_a_channel_has_eight_in_flight_over_all_claims(self, channel):
        for _ in range(20):
            make_delivery(channel)
        assert [len(claim_all()) for _ in range(3)] == [8, 0, 0]
        assert Delivery.objects.exclude(lease_token=None).count() == 8

    def test_the_oldest_go_first(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 2
        made = [make_delivery(channel) for _ in range(4)]
        assert sorted(claim_all()) == sorted(each.pk for each in made[:2])

    def test_slots_limit_a_claim_and_no_channel_is_always_first(self, channel):
        others = [create_channel(name=str(n), kind="postback", url="https://example.com/") for n in range(9)]
        for each in (channel, *others):
            make_delivery(each)
        first = set()
        for _ in range(40):
            (claimed,) = claim(slots=1, slowed_slots=1)
            first.add(claimed.channel.pk)
            Delivery.objects.exclude(lease_token=None).update(lease_token=None, lease_expires_at=None)
            DeliveryAttempt.objects.all().delete()
        assert len(first) > 3

    def test_eight_claimers_at_once_stay_within_the_cap(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 4
        for _ in range(100):
            make_delivery(channel)
        barrier = threading.Barrier(8)
        claimed: list[str] = []

        def run() -> None:
            barrier.wait(10)
            claimed.extend(claim_all())
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(claimed) == len(set(claimed)) == 4

    def test_a_row_locked_by_somebody_else_is_left_alone(self, channel):
        locked, free = make_delivery(channel), make_delivery(channel)
        holding, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            with transaction.atomic():
                Delivery.objects.select_for_update().get(pk=locked.pk)
                holding.set()
                go_on.wait(20)
            connection.close()

        thread = threading.Thread(target=hold)
        thread.start()
        assert holding.wait(10)
        assert claim_all() == [free.pk]
        go_on.set()
        thread.join(20)
        assert claim_all() == [locked.pk]


def test_a_worker_frozen_in_its_claim_does_not_stop_the_others(channel):
    """Frozen between taking the lock and committing, as by SIGSTOP: PostgreSQL ends its session."""
    make_delivery(channel)
    holding = threading.Event()
    ended: list[str] = []

    def freeze() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '500ms'")
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
                holding.set()
                wait_until(lambda: claimed, timeout=20)
                cursor.execute("SELECT 1")
        except DatabaseError:
            ended.append("ended")
        finally:
            connection.close()

    claimed: list[str] = []
    frozen = threading.Thread(target=freeze)
    frozen.start()
    assert holding.wait(10)
    claimed.extend(claim_all())
    frozen.join(20)
    assert len(claimed) == 1
    assert ended == ["ended"]


def test_every_transaction_has_the_limit_that_frees_a_frozen_claim():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("10s",)


class TestLeases:
    def test_a_lease_that_ran_out_is_due_again_as_recovered(self, engine, receiver, channel):
        delivery = make_delivery(channel)
        claim_all()
        assert recover() == 0
        let_leases_run_out()
        assert recover() == 1
        engine.deliver_due()
        delivery.refresh_from_db()
        assert story(delivery) == [(1, "first", "unknown", None), (2, "recovered", "succeeded", 200)]
        assert receiver.received[0].id == delivery.event_id
        assert (delivery.status, delivery.unknowns_in_row) == ("succeeded", 0)

    def test_an_unknown_attempt_uses_up_no_automatic_retry(self, engine, receiver, channel):
        receiver.answer = lambda request: 503
        delivery = make_delivery(channel)
        claim_all()
        let_leases_run_out()
        engine.deliver_due()
        assert [trigger for _, trigger, _, _ in story(delivery)] == ["first", "recovered", *["automatic"] * 3]

    def test_the_third_unknown_in_a_row_fails_the_delivery(self, channel):
        delivery = make_delivery(channel)
        for _ in range(3):
            assert claim_all() == [delivery.pk]
            let_leases_run_out()
            recover()
        assert claim_all() == []
        delivery.refresh_from_db()
        assert (delivery.status, delivery.outcome) == ("failed", "unknown")
        assert story(delivery) == [
            (1, "first", "unknown", None),
            (2, "recovered", "unknown", None),
            (3, "recovered", "unknown", None),
        ]

    def test_a_worker_that_lost_its_lease_records_nothing(self, channel):
        delivery = make_delivery(channel)
        (late,) = claim(slots=1, slowed_slots=1)
        let_leases_run_out()
        recover()
        (current,) = claim(slots=1, slowed_slots=1)
        assert record([Result(late, Answer(Outcome.HTTP_ERROR, status_code=404), 1)]) == 0
        assert record([Result(current, Answer(Outcome.SUCCEEDED, status_code=200), 1)]) == 1
        delivery.refresh_from_db()
        assert delivery.status == "succeeded"
        assert story(delivery) == [(1, "first", "unknown", None), (2, "recovered", "succeeded", 200)]
        assert ChannelHealth.objects.count() == 0  # what it says of the channel is of long ago

    def test_a_410_to_a_worker_that_lost_its_lease_pauses_nothing(self, channel):
        make_delivery(channel)
        (late,) = claim(slots=1, slowed_slots=1)
        let_leases_run_out()
        recover()
        record([Result(late, Answer(Outcome.GONE, status_code=410), 1)])
        channel.refresh_from_db()
        assert channel.paused_at is None

    def test_a_worker_woken_when_its_lease_does_not_outlast_an_attempt_sends_nothing(self, receiver, channel, settings):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        for lease_ends in (-1.0, settings.POSTBACK_TIMEOUT_SECONDS / 2):
            result = send(replace(claimed, read_at_monotonic=time.monotonic(), lease_left=lease_ends))
            assert result.answer is None
            assert receiver.received == []
            assert record([result]) == 0
        let_leases_run_out()
        recover()
        assert Delivery.objects.get().error == DeliveryAttempt.objects.get().error == NOT_SENT


class TestClock:
    def test_the_time_stamp_is_that_of_the_database(self, engine, receiver, channel, monkeypatch):
        """A worker whose own clock is a day off signs what receivers accept."""
        a_day_ahead = timezone.now() + timedelta(days=1)
        monkeypatch.setattr("django.utils.timezone.now", lambda: a_day_ahead)
        make_delivery(channel)
        engine.deliver_due()
        stamp = int(receiver.received[0].headers["webhook-timestamp"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            assert abs(float(cursor.fetchone()[0]) - stamp) < 60

    def test_an_earlier_secret_signs_until_its_own_end_by_the_database(self, engine, receiver, channel, monkeypatch):
        rotate_secret(channel_id=channel.pk, overlap=timedelta(hours=1))
        a_day_ahead = timezone.now() + timedelta(days=1)
        monkeypatch.setattr("django.utils.timezone.now", lambda: a_day_ahead)
        make_delivery(channel)
        engine.deliver_due()
        assert len(receiver.received[0].headers["webhook-signature"].split()) == 2

    def test_the_time_goes_on_while_a_claim_waits_for_its_turn(self, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        later = replace(claimed, read_at_monotonic=claimed.read_at_monotonic - 60)
        assert later.now() - claimed.now() > timedelta(seconds=59)


class TestRecording:
    def test_an_attempt_keeps_how_it_reached_its_receiver(self, engine, receiver, channel):
        delivery = make_delivery(channel)
        engine.deliver_due()
        way = delivery.attempts.get().connection
        assert (way["address"], way["kept"], way["sent_again"], way["tls_ms"]) == ("127.0.0.1", False, False, None)
        assert way["first_byte_ms"] >= 0

    def test_one_answer_that_cannot_be_stored_does_not_keep_the_others_from_it(self, channel):
        first, second = make_delivery(channel), make_delivery(channel)
        claims = {each.delivery_id: each for each in claim(slots=2, slowed_slots=2)}
        unstorable = Answer(Outcome.SUCCEEDED, status_code=200, response_body="\x00")
        fine = Answer(Outcome.SUCCEEDED, status_code=200, response_body="ok")
        assert record([Result(claims[first.pk], unstorable, 1), Result(claims[second.pk], fine, 1)]) == 2
        assert story(second) == [(1, "first", "succeeded", 200)]
        assert story(first) == [(1, "first", "internal_error", 200)]
        first.refresh_from_db()
        assert "could not be stored" in first.error

    def test_an_attempt_is_visible_while_it_is_in_flight(self, channel):
        delivery = make_delivery(channel)
        claim_all()
        assert story(delivery) == [(1, "first", "started", None)]
        delivery.refresh_from_db()
        assert delivery.in_flight
        assert delivery.attempts_made == 1


class TestDeletedChannels:
    def test_a_large_backlog_fails_in_batches_with_the_reason(self, engine, receiver, channel, monkeypatch):
        monkeypatch.setattr("notifications.delivery.maintenance.ABANDON_BATCH", 4)
        monkeypatch.setattr(module, "ABANDON_BATCH", 4)
        for _ in range(10):
            make_delivery(channel)
        archive_channel(channel_id=channel.pk, by="tests")
        assert Delivery.objects.filter(status="failed").count() == 4
        engine.deliver_due()
        failed = Delivery.objects.filter(status="failed", next_attempt_at=None, finished_at__isnull=False)
        assert failed.filter(error="The channel was deleted.").count() == 10
        assert receiver.received == []

    def test_a_batch_is_no_larger_where_postgresql_expects_fewer_rows(self, channel, monkeypatch):
        """It then joins row by row, and must not choose anew for each."""
        monkeypatch.setattr("notifications.delivery.maintenance.ABANDON_BATCH", 4)
        make_delivery(channel)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        for _ in range(9):
            make_delivery(channel)
        Channel.objects.filter(pk=channel.pk).update(archived_at=timezone.now())
        assert [abandon() for _ in range(4)] == [4, 4, 2, 0]

    def test_what_is_in_flight_then_is_left_to_its_worker(self, channel):
        make_delivery(channel), make_delivery(channel)
        (in_flight,) = claim(slots=1, slowed_slots=1)
        archive_channel(channel_id=channel.pk, by="tests")
        assert abandon() == 0
        assert Delivery.objects.get(status="pending").pk == in_flight.delivery_id


def test_a_detached_copy_of_the_channel_is_all_that_a_thread_needs(channel: Channel, receiver: Receiver) -> None:
    make_delivery(channel)
    (claimed,) = claim(slots=1, slowed_slots=1)
    connection.close()
    assert replace(claimed).channel.destination() == channel.destination()


def test_an_answer_to_a_lost_lease_does_not_come_in_with_that_to_the_next_one(channel):
    """A worker that was frozen may hold both, and record them together."""
    delivery = make_delivery(channel)
    (lost,) = claim(slots=1, slowed_slots=1)
    let_leases_run_out()
    recover()
    (held,) = claim(slots=1, slowed_slots=1)
    answers = [Answer(Outcome.HTTP_ERROR, status_code=503), Answer(Outcome.SUCCEEDED, status_code=200)]
    assert record([Result(each, answer, 1) for each, answer in zip((lost, held), answers, strict=True)]) == 1
    assert story(delivery) == [(1, "first", "unknown", None), (2, "recovered", "succeeded", 200)]
    delivery.refresh_from_db()
    assert delivery.status == "succeeded"
