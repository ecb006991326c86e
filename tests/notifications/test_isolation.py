"""No channel waits for another one's receiver, and a receiver that comes back is not flooded."""

import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from channels_app.services import create_channel, pause_channel
from channels_app.services import resume_channel as resume_without_probing
from channels_app.transports import Answer, Outcome
from notifications import services
from notifications.delivery.claim import FIRSTS_AT_ONCE, SLOW_AFTER_SECONDS, claim, is_cut
from notifications.delivery.engine import Engine
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.models import ChannelHealth, Delivery, DeliveryAttempt
from notifications.services import probe_now, resume_channel, retry_delivery
from tests.notifications.deliveries import claim_all, make_delivery, make_due
from tests.servers.receiver import Receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class TestTurns:
    """Who goes first where not all can go."""

    def test_beyond_the_slots_only_the_first_of_a_channel_goes(self, channel):
        busy = [create_channel(name=str(n), kind="postback", url="https://example.com/") for n in range(3)]
        for each in busy:
            for _ in range(8):
                make_delivery(each)
        assert len(claim(slots=16, slowed_slots=8, other_slots=12)) == 12
        late = [make_delivery(channel) for _ in range(3)]
        (first,) = claim(slots=4, slowed_slots=8, other_slots=0)
        assert first.delivery_id == late[0].pk
        assert claim(slots=3, slowed_slots=8, other_slots=0) == []

    def test_what_a_person_has_retried_goes_before_an_older_backlog(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 2
        backlog = [make_delivery(channel) for _ in range(4)]
        retried = make_delivery(channel, status="failed", next_attempt_at=None, finished_at=Now())
        retry_delivery(delivery_id=retried.pk, by="test")
        assert sorted(claim_all()) == sorted([retried.pk, backlog[0].pk])

    def test_it_is_also_the_probe_of_a_failing_channel_and_goes_at_once(self, channel):
        ChannelHealth.objects.create(channel=channel, failures_in_row=9, probe_at="2999-01-01T00:00:00Z")
        for _ in range(3):
            make_delivery(channel)
        retried = make_delivery(channel, status="failed", next_attempt_at=None, finished_at=Now())
        assert claim_all() == []
        retry_delivery(delivery_id=retried.pk, by="test")
        assert claim_all() == [retried.pk]
        assert claim_all() == []

    def test_of_slowed_channels_those_with_nothing_in_flight_come_first(self, channel, settings):
        busy = [create_channel(name=str(n), kind="postback", url="https://example.com/") for n in range(4)]
        for each in busy:
            for _ in range(8):
                make_delivery(each)
        claim(slots=8, slowed_slots=0, other_slots=8)
        Delivery.objects.exclude(lease_token=None).update(
            lease_expires_at=F("lease_expires_at") - timedelta(seconds=SLOW_AFTER_SECONDS + 1)
        )
        ChannelHealth.objects.create(channel=channel, in_flight_cap=1)
        recovering = make_delivery(channel)
        (first,) = claim(slots=8, slowed_slots=1)
        assert first.delivery_id == recovering.pk

    def test_every_idle_channel_comes_before_a_second_delivery_of_any(self, channel):
        others = [create_channel(name=str(n), kind="postback", url="https://example.com/") for n in range(5)]
        for each in (channel, *others):
            for _ in range(8):
                make_delivery(each)
        claims = [each for _ in range(2) for each in claim(slots=6, slowed_slots=3, other_slots=0)]
        assert sorted(each.channel.pk for each in claims) == sorted(each.pk for each in (channel, *others))

    def test_few_first_ones_go_at_once_and_those_without_a_backlog_before_the_others(self, channel):
        others = [create_channel(name=str(n), kind="postback", url="https://example.com/") for n in range(40)]
        for each in others:
            make_delivery(each)
            make_delivery(each)
        made = make_delivery(channel)
        claims = claim(slots=60, slowed_slots=30, other_slots=0)
        assert len(claims) == FIRSTS_AT_ONCE
        assert is_cut(claims)
        assert made.pk in {each.delivery_id for each in claims}

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


class TestIsolation:
    @pytest.mark.parametrize("slowed", [False, True])
    def test_many_channels_that_hang_are_all_begun_before_any_answers(self, settings, slowed):
        settings.SWEEP_INTERVAL_SECONDS = settings.POSTBACK_TIMEOUT_SECONDS = 60
        settings.DELIVERY_CONCURRENCY = 6
        settings.SWEEP_INTERVAL_SECONDS = settings.POSTBACK_TIMEOUT_SECONDS = 60
        engine = Engine()
        go_on = threading.Event()
        with Receiver(answer=lambda request: 200 if go_on.wait(30) else 500) as hanging:
            for number in range(5 * FIRSTS_AT_ONCE):
                each = create_channel(name=str(number), kind="postback", url=hanging.url)
                make_delivery(each)
                if slowed:
                    ChannelHealth.objects.create(channel=each, in_flight_cap=1)
            delivering = threading.Thread(target=engine.deliver_due)
            delivering.start()
            wait_until(lambda: len(hanging.received) == 5 * FIRSTS_AT_ONCE, timeout=20)
            go_on.set()
            delivering.join()
        engine.join(10)
        assert set(Delivery.objects.values_list("status", flat=True)) == {"succeeded"}

    def test_what_its_worker_died_with_and_then_hangs_holds_up_nobody(self, receiver, channel, settings):
        settings.SWEEP_INTERVAL_SECONDS = settings.POSTBACK_TIMEOUT_SECONDS = 60
        engine = Engine()
        go_on = threading.Event()
        with Receiver(answer=lambda request: 200 if go_on.wait(30) else 500) as hanging:
            make_delivery(create_channel(name="Stuck", kind="postback", url=hanging.url), unknowns_in_row=1)
            make_delivery(channel)
            delivering = threading.Thread(target=engine.deliver_due)
            delivering.start()
            wait_until(lambda: Delivery.objects.filter(channel=channel, status="succeeded").exists(), timeout=20)
            go_on.set()
            delivering.join()
        engine.join(10)

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
            if number == 1:  # five of the eight are answered
                lost = [each.delivery_id for each in rest[4:]]
                DeliveryAttempt.objects.filter(delivery__in=lost).delete()
                Delivery.objects.filter(pk__in=lost).update(lease_token=None, lease_expires_at=None)
                for each in rest[:4]:
                    record([Result(each, Answer(Outcome.HTTP_ERROR, status_code=404), 1)])
            record([Result(failing, Answer(Outcome.HTTP_ERROR, status_code=404), 1)])
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
        assert [each.slowed for each in claims].count(True) == FIRSTS_AT_ONCE
        assert is_cut(claims)
        claims += claim(slots=10, slowed_slots=1)
        assert [each.slowed for each in claims].count(True) == 5
        assert [each.channel.pk for each in claims].count(channel.pk) == 3

    def test_our_own_faults_do_not_count_against_the_channel(self, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        record([Result(claimed, Answer(Outcome.INTERNAL_ERROR), 1)])
        assert ChannelHealth.objects.count() == 0
