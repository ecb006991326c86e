"""Leases, caps, recovery, isolation and wake-ups: what holds over several workers."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel
from channels_app.services import resume_channel as resume_without_probing
from channels_app.transports import Answer, Outcome
from notifications import services
from notifications.delivery import engine as module
from notifications.delivery.claim import CLAIM_LOCK, SLOW_AFTER_SECONDS, Marks, abandon, claim, recover
from notifications.delivery.engine import Engine
from notifications.delivery.record import record
from notifications.delivery.send import Result, send
from notifications.models import ChannelHealth, Delivery, DeliveryAttempt
from notifications.services import archive_channel, probe_now, resume_channel
from tests.notifications.deliveries import let_leases_run_out, make_delivery, make_due, story
from tests.receiver import Receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def claim_all(slots: int = 64) -> list[str]:
    return [each.delivery_id for each in claim(slots=slots, slowed_slots=slots)]


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


def test_every_connection_has_the_limit_that_frees_a_frozen_claim():
    with connection.cursor() as cursor:
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

    def test_a_worker_woken_after_its_lease_sends_nothing(self, receiver, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        result = send(claimed, lease_ends=time.monotonic() - 1)
        assert result.answer is None
        assert receiver.received == []
        assert record([result]) == 0


class TestRecording:
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


class TestReserve:
    """The last slots are for channels that have nothing in flight."""

    def test_many_busy_channels_leave_the_reserve_to_one_that_comes_later(self, channel):
        busy = [create_channel(name=str(n), kind="postback", url="https://example.com/") for n in range(3)]
        for each in busy:
            for _ in range(8):
                make_delivery(each)
        assert len(claim(slots=16, slowed_slots=8, reserve=4)) == 12
        late = [make_delivery(channel) for _ in range(3)]
        (first,) = claim(slots=4, slowed_slots=8, reserve=4)
        assert first.delivery_id == late[0].pk
        assert claim(slots=3, slowed_slots=8, reserve=4) == []

    def test_every_idle_channel_comes_before_a_second_delivery_of_any(self, channel):
        others = [create_channel(name=str(n), kind="postback", url="https://example.com/") for n in range(5)]
        for each in (channel, *others):
            for _ in range(8):
                make_delivery(each)
        claims = claim(slots=6, slowed_slots=3)
        assert sorted(each.channel.pk for each in claims) == sorted(each.pk for each in (channel, *others))

    def test_a_channel_alone_is_claimed_once_for_each_row(self, channel):
        made = [make_delivery(channel) for _ in range(5)]
        assert sorted(claim_all()) == sorted(each.pk for each in made)

    def test_a_channel_that_is_slow_to_answer_counts_as_slowed_until_it_has_answered(self, channel):
        for _ in range(8):
            make_delivery(channel)
        (waiting,) = claim(slots=1, slowed_slots=0)
        assert not waiting.slowed
        assert [each.slowed for each in claim(slots=1, slowed_slots=0)] == [False]
        Delivery.objects.filter(pk=waiting.delivery_id).update(
            lease_expires_at=F("lease_expires_at") - timedelta(seconds=SLOW_AFTER_SECONDS + 1)
        )
        assert claim(slots=8, slowed_slots=0) == []
        assert [(each.slowed, each.troubled) for each in claim(slots=1, slowed_slots=1)] == [(True, False)]
        record([Result(waiting, Answer(Outcome.SUCCEEDED, status_code=200), 6_000)])
        assert [each.slowed for each in claim(slots=1, slowed_slots=0)] == [False]
        assert not ChannelHealth.objects.exists()


class TestDeletedChannels:
    def test_a_large_backlog_fails_in_batches_with_the_reason(self, engine, receiver, channel, monkeypatch):
        monkeypatch.setattr("notifications.delivery.claim.ABANDON_BATCH", 4)
        monkeypatch.setattr(module, "ABANDON_BATCH", 4)
        for _ in range(10):
            make_delivery(channel)
        archive_channel(channel_id=channel.pk, by="tests")
        assert Delivery.objects.filter(status="failed").count() == 4
        engine.deliver_due()
        failed = Delivery.objects.filter(status="failed", next_attempt_at=None, finished_at__isnull=False)
        assert failed.filter(error="The channel was deleted.").count() == 10
        assert receiver.received == []

    def test_what_is_in_flight_then_is_left_to_its_worker(self, channel):
        make_delivery(channel), make_delivery(channel)
        (in_flight,) = claim(slots=1, slowed_slots=1)
        archive_channel(channel_id=channel.pk, by="tests")
        assert abandon() == 0
        assert Delivery.objects.get(status="pending").pk == in_flight.delivery_id


class TestIsolation:
    def test_a_hanging_channel_does_not_hold_up_the_others(self, receiver, channel, settings):
        settings.DELIVERY_CONCURRENCY = 10
        engine = Engine()
        go_on = threading.Event()
        with Receiver(answer=lambda request: 200 if go_on.wait(20) else 500) as hanging:
            stuck = create_channel(name="Stuck", kind="postback", url=hanging.url)
            for _ in range(8):
                make_delivery(stuck)
            thread = threading.Thread(target=engine.deliver_due)
            thread.start()
            wait_until(lambda: len(hanging.received) == 8)
            for _ in range(30):
                make_delivery(channel)
            wait_until(lambda: Delivery.objects.filter(channel=channel, status="succeeded").count() == 30)
            assert Delivery.objects.filter(channel=stuck, status="pending").count() == 8
            go_on.set()
            thread.join(20)
        assert Delivery.objects.filter(status="succeeded").count() == 38
        assert engine.join(timeout=20)

    def test_a_timeout_lowers_the_cap_to_one_and_successes_raise_it_again(self, engine, receiver, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        record([Result(claimed, Answer(Outcome.TIMEOUT), 1)])
        for _ in range(20):
            make_delivery(channel)
        assert len(claim_all()) == 1
        Delivery.objects.exclude(lease_token=None).update(lease_token=None, lease_expires_at=None)
        DeliveryAttempt.objects.all().delete()
        engine.deliver_due()
        assert Delivery.objects.filter(status="succeeded").count() == 20
        health = ChannelHealth.objects.get()
        assert (health.in_flight_cap, health.failures_in_row) == (None, 0)

    def test_after_five_failures_in_a_row_one_probe_goes_out_at_growing_intervals(self, channel, settings):
        settings.POSTBACK_RETRY_DELAYS_SECONDS = [64.0]
        for _ in range(20):
            make_delivery(channel)
        intervals = []
        for number in range(1, 13):
            make_due()
            ChannelHealth.objects.update(probe_at=None)
            claims = claim(slots=64, slowed_slots=32)
            assert len(claims) == (8 if number < 2 else 1)
            failing, *rest = claims
            record([Result(failing, Answer(Outcome.HTTP_ERROR, status_code=404), 1)])
            if number == 1:
                for each in rest[:4]:
                    record([Result(each, Answer(Outcome.HTTP_ERROR, status_code=404), 1)])
                Delivery.objects.exclude(lease_token=None).update(lease_token=None, lease_expires_at=None)
                DeliveryAttempt.objects.filter(outcome="started").delete()
            health = ChannelHealth.objects.get()
            with connection.cursor() as cursor:
                cursor.execute("SELECT extract(epoch FROM probe_at - now()) FROM notifications_channelhealth")
                intervals.append(round(float(cursor.fetchone()[0])))
            assert claim_all() == []
        assert health.failures_in_row == 16
        assert intervals == [1, 2, 4, 8, 16, 32, 64, 64, 64, 64, 64, 64]

    def test_a_successful_probe_ends_the_back_off(self, engine, receiver, channel):
        ChannelHealth.objects.create(channel=channel, failures_in_row=9)
        for _ in range(12):
            make_delivery(channel)
        engine.deliver_due()
        assert len(receiver.received) == 12
        assert ChannelHealth.objects.get().failures_in_row == 0

    @pytest.mark.parametrize("mend", [partial(resume_channel, by="test"), probe_now])
    def test_who_says_that_it_is_mended_has_it_probed_at_once(self, engine, receiver, channel, mend):
        ChannelHealth.objects.create(channel=channel, failures_in_row=9, probe_at="2999-01-01T00:00:00Z")
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        for _ in range(3):
            make_delivery(channel)
        resume_without_probing(channel_id=channel.pk)
        assert engine.deliver_due() == 0
        mend(channel_id=channel.pk)
        assert engine.deliver_due() == 3

    def test_a_resumed_backlog_begins_with_one_at_a_time_and_grows_with_each_success(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 4
        services.pause_channel(channel_id=channel.pk, reason="Maintenance.", by="test")
        for _ in range(20):
            make_delivery(channel)
        resume_channel(channel_id=channel.pk, by="test")
        at_a_time = []
        while claims := claim(slots=64, slowed_slots=64):
            at_a_time.append(len(claims))
            record([Result(each, Answer(Outcome.SUCCEEDED, status_code=200), 1) for each in claims])
        assert at_a_time == [1, 2, 4, 4, 4, 4, 1]
        assert ChannelHealth.objects.get().in_flight_cap is None

    def test_a_channel_resumed_with_nothing_held_goes_on_as_before(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="Maintenance.", by="test")
        resume_channel(channel_id=channel.pk, by="test")
        assert ChannelHealth.objects.count() == 0

    def test_slowed_channels_together_hold_at_most_half_of_the_slots(self, channel):
        slow = [create_channel(name=f"Slow {n}", kind="postback", url="https://example.com/") for n in range(10)]
        for each in slow:
            ChannelHealth.objects.create(channel=each, in_flight_cap=1)
            make_delivery(each)
        for _ in range(3):
            make_delivery(channel)
        claims = claim(slots=10, slowed_slots=5)
        assert [each.slowed for each in claims].count(True) == 5
        assert [each.channel.pk for each in claims].count(channel.pk) == 3

    def test_our_own_faults_do_not_count_against_the_channel(self, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        record([Result(claimed, Answer(Outcome.INTERNAL_ERROR), 1)])
        assert ChannelHealth.objects.count() == 0


class TestMarks:
    """Where dead rows make a claim slow, it begins where the last one ended."""

    def claim_some(self, marks: Marks, slots: int = 64) -> list[str]:
        return [each.delivery_id for each in claim(slots=slots, slowed_slots=slots, marks=marks)]

    def test_a_look_begins_at_the_marks_and_sees_all_without_them(self, channel):
        marks = Marks()
        old = timezone.now() - timedelta(minutes=1)
        first, second = (make_delivery(channel, next_attempt_at=old + timedelta(seconds=n)) for n in range(2))
        assert self.claim_some(marks, slots=1) == [first.pk]
        late = make_delivery(channel, next_attempt_at=old - timedelta(seconds=1))
        assert self.claim_some(marks) == [second.pk]
        assert self.claim_some(marks) == []
        marks.forget()
        assert self.claim_some(marks) == [late.pk]

    def test_leases_made_by_others_since_count(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 3
        marks = Marks()
        for _ in range(9):
            make_delivery(channel)
        assert len(self.claim_some(marks, slots=1)) == 1
        assert len(claim_all(1)) == 1
        assert len(self.claim_some(marks)) == 1
        assert self.claim_some(marks) == []

    def test_the_oldest_live_lease_counts_however_many_came_after_it(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 2
        marks = Marks()
        for _ in range(6):
            make_delivery(channel)
        claim(slots=1, slowed_slots=1, marks=marks)  # is not answered
        for _ in range(3):
            (other,) = claim(slots=64, slowed_slots=64, marks=marks)
            record([Result(other, Answer(Outcome.SUCCEEDED, status_code=200), 1)])

    def test_the_engine_leaves_nothing_that_was_committed_late(self, engine, receiver, channel, monkeypatch):
        monkeypatch.setattr(module, "SLOW_CLAIM_SECONDS", -1.0)
        old = timezone.now() - timedelta(minutes=1)
        for _ in range(5):
            make_delivery(channel, next_attempt_at=old)

        def commit_late(request: object) -> int:
            if len(receiver.received) == 1:
                make_delivery(channel, next_attempt_at=old - timedelta(minutes=1))
                connection.close()
            return 200

        receiver.answer = commit_late
        assert engine.deliver_due() == 6

    def test_a_quick_claim_uses_none(self, engine, receiver, channel, monkeypatch):
        monkeypatch.setattr(module, "SLOW_CLAIM_SECONDS", 60.0)
        for _ in range(3):
            make_delivery(channel)
        engine.deliver_due()
        assert not engine._marks


class TestWaking:
    def test_no_burst_is_stranded_by_a_runner_that_is_just_letting_go(self, engine, receiver, channel):
        """Each delivery is committed and rung for while the runner may be anywhere in its loop; no clock helps."""
        for _ in range(60):
            make_delivery(channel)
            threads = [threading.Thread(target=engine.deliver_due) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
        assert Delivery.objects.filter(status="succeeded").count() == 60

    def test_one_call_runs_at_a_time_and_the_other_one_leaves_its_work_to_it(self, engine, receiver, channel):
        go_on = threading.Event()
        receiver.answer = lambda request: 200 if go_on.wait(20) else 500
        make_delivery(channel)
        runner = threading.Thread(target=engine.deliver_due)
        runner.start()
        wait_until(lambda: len(receiver.received) == 1)
        make_delivery(channel)
        assert engine.deliver_due() == 0
        wait_until(lambda: len(receiver.received) == 2)
        go_on.set()
        runner.join(20)
        assert Delivery.objects.filter(status="succeeded").count() == 2

    def test_stopping_claims_nothing_more_and_records_what_is_in_flight(self, engine, receiver, channel):
        go_on = threading.Event()
        receiver.answer = lambda request: 200 if go_on.wait(20) else 500
        first = make_delivery(channel)
        runner = threading.Thread(target=engine.deliver_due)
        runner.start()
        wait_until(lambda: len(receiver.received) == 1)
        engine.stop()
        second = make_delivery(channel)
        assert engine.deliver_due() == 0
        go_on.set()
        runner.join(20)
        assert engine.join(timeout=10)
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.status, second.status, second.attempts_made) == ("succeeded", "pending", 0)

    def test_a_database_that_is_away_while_recording_costs_no_second_send(self, engine, receiver, channel, monkeypatch):
        failures = iter([True, True])

        def record_at_last(results: list[Result]) -> int:
            if next(failures, False):
                raise OperationalError("away")
            return record(results)

        monkeypatch.setattr(module, "record", record_at_last)
        monkeypatch.setattr(module, "RECORD_AGAIN_AFTER_SECONDS", 0.01)
        delivery = make_delivery(channel)
        assert engine.deliver_due() == 1
        assert len(receiver.received) == 1
        assert story(delivery) == [(1, "first", "succeeded", 200)]


def test_a_detached_copy_of_the_channel_is_all_that_a_thread_needs(channel: Channel, receiver: Receiver) -> None:
    make_delivery(channel)
    (claimed,) = claim(slots=1, slowed_slots=1)
    connection.close()
    assert replace(claimed).channel.destination() == channel.destination()
