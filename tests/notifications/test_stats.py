"""What pages tell of the last 24 hours: counted once by whoever records, and read at a constant cost."""

import random
import threading
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import Answer, Outcome
from notifications import services, stats, waiting
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.events import EVENT_TYPES
from notifications.latencies import BOUNDS_MS, bucket, percentile
from notifications.models import ChannelHealth, ChannelHour, Delivery
from notifications.tally import Counted, Tally, count
from tests.notifications.deliveries import let_leases_run_out, make_delivery, make_due

pytestmark = pytest.mark.django_db(transaction=True)


def counted(channel: Channel) -> tuple[int, int, int]:
    """Succeeded, failed, and how many answers, over all hours."""
    rows = list(ChannelHour.objects.filter(channel=channel))
    return (
        sum(row.succeeded for row in rows),
        sum(row.failed for row in rows),
        sum(sum(row.latencies) for row in rows),
    )


def make_hour(channel: Channel, *, hours_ago: int, succeeded: int = 0, failed: int = 0, ms: int = 50) -> ChannelHour:
    latencies = [0] * len(BOUNDS_MS)
    latencies[bucket(ms)] = succeeded + failed
    return ChannelHour.objects.create(
        channel=channel,
        hour=this_hour() - timedelta(hours=hours_ago),
        succeeded=succeeded,
        failed=failed,
        latencies=latencies,
    )


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


class TestCounting:
    def test_each_delivery_is_counted_once_when_it_is_finished_and_each_answer_when_it_came(
        self, engine, receiver, channel
    ):
        receiver.answer = lambda request: 503
        make_delivery(channel)
        engine.deliver_due()
        assert Delivery.objects.get().attempts_made == 4
        assert counted(channel) == (0, 1, 4)
        receiver.answer = lambda request: 200
        for _ in range(3):
            make_delivery(channel)
        engine.deliver_due()
        assert counted(channel) == (3, 1, 7)
        assert ChannelHour.objects.count() <= 2  # one row an hour, and an hour may have begun meanwhile

    def test_what_got_no_answer_counts_as_failed_and_has_no_latency(self, engine, settings):
        settings.POSTBACK_RETRY_DELAYS_SECONDS = [0.0]
        channel = create_channel(name="Nobody", kind="postback", url="http://127.0.0.1:9/")
        make_delivery(channel)
        engine.deliver_due()
        assert counted(channel) == (0, 1, 0)

    def test_a_retry_that_is_to_come_finishes_nothing(self, engine, receiver, channel, settings):
        settings.POSTBACK_RETRY_DELAYS_SECONDS = [3600.0]
        receiver.answer = lambda request: 503
        make_delivery(channel)
        engine.deliver_due()
        assert counted(channel) == (0, 0, 1)

    def test_tests_that_people_send_are_not_counted(self, engine, receiver, channel):
        services.send_test(channel_id=channel.pk, event_type=EVENT_TYPES["order.completed"], by="test")
        engine.deliver_due()
        assert Delivery.objects.get().status == "succeeded"
        assert ChannelHour.objects.count() == 0

    def test_who_lost_the_lease_counts_nothing(self, channel):
        make_delivery(channel)
        (lost,) = claim(slots=1, slowed_slots=1)
        let_leases_run_out()
        recover()
        (ours,) = claim(slots=1, slowed_slots=1)
        answer = Answer(Outcome.SUCCEEDED, status_code=200)
        assert record([Result(lost, answer, 7)]) == 0
        assert ChannelHour.objects.count() == 0
        assert record([Result(ours, answer, 7)]) == 1
        assert counted(channel) == (1, 0, 1)

    def test_the_third_unknown_is_counted_as_failed(self, channel):
        make_delivery(channel)
        for _ in range(3):
            assert len(claim(slots=1, slowed_slots=1)) == 1
            assert counted(channel) == (0, 0, 0)
            let_leases_run_out()
            assert recover() == 1
        assert Delivery.objects.get().status == "failed"
        assert counted(channel) == (0, 1, 0)

    def test_many_processes_count_exactly_and_wait_for_each_other_in_one_order(self, channel):
        channels = [channel.pk] + [
            create_channel(name=str(number), kind="postback", url="https://example.com/").pk for number in range(5)
        ]
        barrier = threading.Barrier(4)
        errors: list[BaseException] = []

        def run() -> None:
            try:
                barrier.wait(10)
                for _ in range(25):
                    random.shuffle(shuffled := list(channels))
                    count(Counted(each, "succeeded", 20) for each in shuffled)
            except BaseException as error:
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert errors == []
        assert {channel_id: counted(Channel(pk=channel_id)) for channel_id in channels} == dict.fromkeys(
            channels, (100, 0, 100)
        )

    def test_counting_takes_no_lock_on_the_channel(self, channel):
        """A person who changes the channel at this moment, with its row locked, holds no worker up."""
        locked, done = threading.Event(), threading.Event()

        def hold() -> None:
            from django.db import transaction

            with transaction.atomic():
                Channel.objects.select_for_update().get(pk=channel.pk)
                locked.set()
                done.wait(20)
            connection.close()

        holder = threading.Thread(target=hold)
        holder.start()
        try:
            assert locked.wait(10)
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '2s'")
                count([Counted(channel.pk, "succeeded", 20)])
                cursor.execute("RESET lock_timeout")
        finally:
            done.set()
            holder.join(20)
        assert counted(channel) == (1, 0, 1)


class TestTally:
    """What a busy engine has still to write."""

    def test_an_engine_that_comes_to_rest_has_written_all(self, engine, receiver, channel):
        for _ in range(5):
            make_delivery(channel)
        assert engine.deliver_due() == 5
        succeeded, failed, answered = counted(channel)
        assert (succeeded, failed, answered) == (5, 0, 5)

    def test_it_is_due_a_second_after_it_was_written(self, channel, monkeypatch):
        tally = Tally()
        assert not tally.is_due()
        monkeypatch.setattr("notifications.tally.WRITTEN_EVERY_SECONDS", 0.0)
        assert tally.is_due()

    def test_it_adds_up_until_it_is_written_and_is_empty_then(self, channel):
        tally = Tally()
        for status in ("succeeded", "failed", "pending"):
            tally.add([Counted(channel.pk, status, 20)])
        assert ChannelHour.objects.count() == 0
        for _ in range(2):
            tally.write()
            assert counted(channel) == (1, 1, 3)

    def test_where_postgresql_is_away_it_is_kept(self, channel):
        tally = Tally()
        tally.add([Counted(channel.pk, "succeeded", 20)])
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            with pytest.raises(DatabaseError):
                cursor.execute("SELECT no_such_column")
            tally.write()
        tally.write()
        assert counted(channel) == (1, 0, 1)


class TestPercentiles:
    def test_the_buckets_reach_from_a_millisecond_to_the_longest_timeout(self):
        assert BOUNDS_MS[0] == 1
        assert BOUNDS_MS[-1] >= 300_000
        assert [bucket(0), bucket(1), bucket(2), bucket(10**9)] == [0, 0, 1, len(BOUNDS_MS) - 1]

    @pytest.mark.parametrize("share", [0.5, 0.95])
    def test_they_are_off_by_a_fifth_at_most(self, share):
        chosen = random.Random(7)
        durations = sorted(round(chosen.lognormvariate(5, 1)) + 1 for _ in range(5000))
        counts = [0] * len(BOUNDS_MS)
        for duration in durations:
            counts[bucket(duration)] += 1
        exact = durations[round(share * len(durations)) - 1]
        assert percentile(counts, share) == pytest.approx(exact, rel=0.2)

    def test_nothing_counted_has_none(self):
        assert percentile([0] * len(BOUNDS_MS), 0.5) is None
        assert percentile([None] * len(BOUNDS_MS), 0.5) is None


class TestReading:
    def test_a_day_has_24_hours_and_those_without_deliveries_are_zero(self, channel):
        other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        make_hour(channel, hours_ago=0, succeeded=3, failed=1, ms=50)
        make_hour(other, hours_ago=0, succeeded=6, ms=500)
        make_hour(channel, hours_ago=23, succeeded=5, ms=50)
        make_hour(channel, hours_ago=24, succeeded=100)
        day = stats.last_day()
        assert len(day.hours) == 24
        assert [hour.at for hour in day.hours] == [this_hour() - timedelta(hours=ago) for ago in range(23, -1, -1)]
        assert [(h.succeeded, h.failed) for h in day.hours] == [(5, 0), *[(0, 0)] * 22, (9, 1)]
        assert (day.totals.succeeded, day.totals.failed) == (14, 1)
        assert day.totals.success_rate_text == "93.3 %"
        assert day.totals.median_ms == pytest.approx(50, rel=0.2)
        assert day.totals.p95_ms == pytest.approx(500, rel=0.2)
        assert day.hours[5].median_ms is None

        only = stats.last_day(channel.pk)
        assert (only.totals.succeeded, only.totals.failed) == (8, 1)
        assert only.totals.p95_ms == pytest.approx(50, rel=0.2)

    def test_an_empty_database_has_no_rate(self):
        totals = stats.last_day().totals
        assert (totals.finished, totals.success_rate, totals.success_rate_text) == (0, None, "–")

    @pytest.mark.parametrize(
        ("succeeded", "failed", "text"),
        [(1, 0, "100 %"), (0, 1, "0 %"), (99_999, 1, "99.9 %"), (1, 99_999, "0.1 %"), (1, 1, "50.0 %")],
    )
    def test_a_rate_is_never_rounded_to_all_or_nothing(self, succeeded, failed, text):
        assert stats.Summary(succeeded, failed).success_rate_text == text

    def test_channels_are_summed_up_in_one_query(self, channel, django_assert_num_queries):
        other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        make_hour(channel, hours_ago=1, succeeded=3, failed=1)
        make_hour(channel, hours_ago=24, succeeded=100)
        make_delivery(channel)
        newest = make_delivery(channel)
        with django_assert_num_queries(1):
            summaries = stats.channel_summaries([channel.pk, other.pk, "chn_unknown"])
        mine = summaries[channel.pk]
        assert (mine.succeeded, mine.failed, mine.success_rate) == (3, 1, 75.0)
        newest.refresh_from_db()
        assert mine.last_delivery_at == newest.created_at
        assert summaries[other.pk] == summaries["chn_unknown"] == stats.Summary()

    def test_no_channels_no_summaries(self):
        assert stats.channel_summaries([]) == {}


def oldest_sendable():
    return waiting.lateness().oldest_sendable


class TestOldestDue:
    def test_it_is_the_one_that_could_have_been_sent_for_longest(self, channel):
        assert oldest_sendable() is None
        ages = (30, 90, 60)
        made = [make_delivery(channel, next_attempt_at=timezone.now() - timedelta(seconds=seconds)) for seconds in ages]
        make_delivery(channel, next_attempt_at=timezone.now() + timedelta(hours=1))
        oldest = oldest_sendable()
        assert oldest.delivery_id == made[1].pk
        assert 90 <= oldest.seconds < 150

    @pytest.mark.parametrize("state", ["paused", "deleted", "failing", "in flight"])
    def test_what_is_kept_waiting_on_purpose_does_not_count(self, channel, state):
        make_delivery(channel)
        make_due()
        assert oldest_sendable() is not None
        if state == "paused":
            services.pause_channel(channel_id=channel.pk, reason="", by="test")
        elif state == "deleted":
            Channel.objects.update(archived_at=timezone.now())
        elif state == "failing":
            ChannelHealth.objects.create(channel=channel, failures_in_row=5)
        else:
            assert len(claim(slots=1, slowed_slots=1)) == 1
        assert oldest_sendable() is None

    def test_what_waits_for_a_channel_whose_every_slot_is_taken_does_not_count(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 2
        for _ in range(3):
            make_delivery(channel)
        make_due()
        assert len(claim(slots=1, slowed_slots=1)) == 1
        assert oldest_sendable() is not None
        assert len(claim(slots=1, slowed_slots=1)) == 1
        assert oldest_sendable() is None

    def test_what_was_held_counts_from_the_resumption_and_not_while_it_is_worked_off(self, channel):
        for _ in range(3):
            make_delivery(channel, next_attempt_at=timezone.now() - timedelta(days=2))
        services.pause_channel(channel_id=channel.pk, reason="", by="test")
        services.resume_channel(channel_id=channel.pk, by="test")
        ChannelHealth.objects.all().delete()  # as many at a time as ever
        assert oldest_sendable().sendable_seconds < 60
        assert len(claim(slots=1, slowed_slots=1)) == 1
        assert oldest_sendable() is None
        Delivery.objects.filter(lease_token=None).update(next_attempt_at=timezone.now())
        assert oldest_sendable() is not None
