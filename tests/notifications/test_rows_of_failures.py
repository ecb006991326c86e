"""Failures in a row are those in the order of sending, and an answer speaks of the address that it was sent to."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from channels_app.services import lock_channel
from channels_app.transports import Answer, Outcome
from notifications import services
from notifications.delivery import health as module
from notifications.delivery import record as recording
from notifications.delivery.claim import claim
from notifications.delivery.health import failures_in_row
from notifications.delivery.maintenance import recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.models import Alert, ChannelHealth, Delivery
from tests.notifications.deliveries import let_leases_run_out, make_delivery
from tests.servers.receiver import Received

pytestmark = pytest.mark.django_db(transaction=True)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
UNAVAILABLE = Answer(Outcome.HTTP_ERROR, status_code=404)
OK = Answer(Outcome.SUCCEEDED, status_code=200)


def at(*seconds: int) -> list[datetime]:
    return [BEGIN + timedelta(seconds=each) for each in seconds]


@pytest.mark.parametrize(
    ("failed", "unanswered", "row"),
    [
        ((1,), (), 1),
        ((1, 2, 3, 4, 5), (), 5),
        ((1, 1, 1, 1, 1), (), 5),
        ((1, 1, 1, 1, 1), (1,), 1),
        ((1, 1, 3, 3, 3), (2,), 3),
        ((1, 2, 3, 4, 5), (6,), 5),
        ((1, 2, 3, 4, 5), (0,), 5),
        ((1, 2, 3, 4, 5), (2, 4), 1),
        ((5, 1, 3, 2, 4), (), 5),
    ],
)
def test_a_row_is_as_long_as_it_is_for_certain(failed, unanswered, row):
    assert failures_in_row(at(*failed), at(*unanswered)) == row


def answer(claimed, told: Answer) -> None:
    assert record([Result(claimed, told, 1)]) == 1


class TestSentAtOnce:
    def test_a_receiver_quick_to_refuse_and_slow_to_take_that_fails_two_of_three_is_not_failing(
        self, engine, receiver, channel
    ):
        lock, begun = threading.Lock(), 0
        seen: list[int] = []

        def every_third_slowly(request: Received) -> int:
            nonlocal begun
            with lock:
                begun += 1
                takes = begun % 3 == 0
            if takes:
                time.sleep(0.1)
            return 200 if takes else 404

        receiver.answer = every_third_slowly
        for _ in range(60):
            make_delivery(channel)
        watching = threading.Event()

        def watch() -> None:
            while not watching.wait(0.01):
                seen.extend(ChannelHealth.objects.values_list("failures_in_row", flat=True))
            connection.close()

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert engine.deliver_due() == 60
        watching.set()
        watcher.join(20)
        assert Delivery.objects.filter(status="succeeded").count() == 20
        assert max(seen, default=0) < 5
        assert not Alert.objects.exists()

    def test_failures_count_once_nothing_that_was_sent_with_them_can_still_succeed(self, channel):
        for _ in range(8):
            make_delivery(channel)
        *others, last = claim(slots=8, slowed_slots=8)
        for each in others:
            answer(each, UNAVAILABLE)
        assert ChannelHealth.objects.get().failures_in_row == 1
        answer(last, UNAVAILABLE)
        assert ChannelHealth.objects.get().failures_in_row == 8
        assert Alert.objects.get().kind == "failing"

    def test_a_success_of_what_was_sent_at_once_clears_them_whichever_came_first(self, channel):
        for _ in range(8):
            make_delivery(channel)
        early, *others, late = claim(slots=8, slowed_slots=8)
        answer(early, OK)
        for each in others:
            answer(each, UNAVAILABLE)
        assert not ChannelHealth.objects.get().failures_in_row
        answer(late, UNAVAILABLE)
        assert not ChannelHealth.objects.get().failures_in_row
        assert not Alert.objects.exists()

    def test_another_process_that_saw_none_of_it_learns_of_the_success(self, channel, monkeypatch):
        for _ in range(8):
            make_delivery(channel)
        first, taken, *others = claim(slots=8, slowed_slots=8)
        answer(first, UNAVAILABLE)
        answer(taken, OK)
        monkeypatch.setattr(module, "_latest_success", {})
        for each in others:
            answer(each, UNAVAILABLE)
        assert ChannelHealth.objects.get().failures_in_row == 0

    def test_a_late_success_of_what_was_sent_before_does_not_end_a_row(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 2
        for _ in range(7):
            make_delivery(channel)
        (slow,) = claim(slots=1, slowed_slots=1)
        for _ in range(5):
            (one,) = claim(slots=1, slowed_slots=1)
            answer(one, UNAVAILABLE)
        assert ChannelHealth.objects.get().failures_in_row == 5
        answer(slow, OK)
        assert ChannelHealth.objects.get().failures_in_row == 5
        assert ChannelHealth.objects.get().probe_at is not None

    def test_what_its_worker_died_with_parts_no_row(self, channel):
        for _ in range(8):
            make_delivery(channel)
        *others, _lost = claim(slots=8, slowed_slots=8)
        for each in others[:6]:
            answer(each, UNAVAILABLE)
        let_leases_run_out()
        recover()
        (again,) = claim(slots=1, slowed_slots=1)
        answer(again, UNAVAILABLE)
        assert ChannelHealth.objects.get().failures_in_row == 7


class TestOfAnotherAddress:
    def test_a_410_of_the_old_url_does_not_pause_the_new_one(self, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        services.update_channel(channel_id=channel.pk, url="https://example.com/new", by="test")
        answer(claimed, Answer(Outcome.GONE, status_code=410, error="Gone."))
        channel.refresh_from_db()
        assert channel.paused_at is None
        assert Delivery.objects.get().outcome == "gone"
        assert not ChannelHealth.objects.exists()

    def test_a_410_of_the_present_url_pauses(self, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        answer(claimed, Answer(Outcome.GONE, status_code=410, error="Gone."))
        channel.refresh_from_db()
        assert (channel.pause_reason, Alert.objects.get().kind) == ("Gone.", "paused")

    def test_a_channel_that_somebody_keeps_locked_holds_up_no_recording(self, channel, monkeypatch):
        monkeypatch.setattr(recording, "CHANNEL_AWAITED_AT_MOST", "100ms")
        make_delivery(channel), make_delivery(channel)
        first, second = claim(slots=2, slowed_slots=2)
        holding, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            with transaction.atomic():
                lock_channel(channel.pk)
                holding.set()
                go_on.wait(20)
            connection.close()

        holder = threading.Thread(target=hold)
        holder.start()
        assert holding.wait(10)
        answer(first, Answer(Outcome.GONE, status_code=410, error="Gone."))
        assert Delivery.objects.get(pk=first.delivery_id).outcome == "gone"
        go_on.set()
        holder.join(20)
        channel.refresh_from_db()
        assert channel.paused_at is None
        answer(second, Answer(Outcome.GONE, status_code=410, error="Gone."))
        channel.refresh_from_db()
        assert channel.paused_at is not None

    @pytest.mark.parametrize("change", ["url", "secret", "headers"])
    def test_failures_of_before_do_not_count_against_what_was_corrected(self, channel, change):
        for _ in range(8):
            make_delivery(channel)
        claims = claim(slots=8, slowed_slots=8)
        if change == "url":
            services.update_channel(channel_id=channel.pk, url="https://example.com/new", by="test")
        elif change == "headers":
            services.update_channel(channel_id=channel.pk, headers={"X-Key": "new"}, by="test")
        else:
            services.rotate_secret(channel_id=channel.pk, overlap=timedelta(0), by="test")
        for each in claims:
            answer(each, Answer(Outcome.TIMEOUT))
        assert not ChannelHealth.objects.exists()

    def test_a_success_of_before_does_not_mend_what_fails_now(self, channel, settings):
        for _ in range(9):
            make_delivery(channel)
        (before,) = claim(slots=1, slowed_slots=1)
        ChannelHealth.objects.create(channel=channel, failures_in_row=7)
        services.update_channel(channel_id=channel.pk, url="https://example.com/new", by="test")
        answer(before, OK)
        assert ChannelHealth.objects.get().failures_in_row == 7

    def test_another_name_changes_nothing(self, channel):
        make_delivery(channel)
        (claimed,) = claim(slots=1, slowed_slots=1)
        services.update_channel(channel_id=channel.pk, name="Renamed", by="test")
        answer(claimed, UNAVAILABLE)
        assert ChannelHealth.objects.get().failures_in_row == 1
