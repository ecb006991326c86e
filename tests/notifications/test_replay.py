"""Sending again what failed on a channel."""

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel, resume_channel
from notifications import replay, services
from notifications.errors import Conflict
from notifications.models import Delivery, ReplayJob
from tests.notifications.deliveries import make_delivery, story
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def failed(channel, *, ago: timedelta = timedelta(0), event_type: str = "contact.created") -> Delivery:
    when = timezone.now() - ago
    return make_delivery(channel, event_type=event_type, status="failed", next_attempt_at=None, finished_at=when)


def start(channel, **arguments) -> ReplayJob:
    arguments = {"since": timezone.now() - HOUR, **arguments}
    return replay.start_replay(channel_id=channel.pk, by="test", **arguments)


def test_what_failed_since_then_is_delivered_with_the_same_event_ids(engine, receiver, channel):
    made = [failed(channel), failed(channel, event_type="order.completed")]
    failed(channel, ago=2 * HOUR)
    failed(create_channel(name="Other", kind="postback", url=receiver.url))
    job = start(channel)
    assert (job.count, job.replayed, job.status) == (2, 0, "running")
    engine.deliver_due()
    assert {request.id for request in receiver.received} == {delivery.event_id for delivery in made}
    assert story(made[0]) == [(1, "replay", "succeeded", 200)]
    assert Delivery.objects.filter(status="failed").count() == 2
    job.refresh_from_db()
    assert (job.replayed, job.status) == (2, "finished")
    assert job.finished_at is not None


def test_a_dry_run_counts_and_sends_nothing(engine, receiver, channel):
    failed(channel)
    job = start(channel, dry_run=True)
    engine.deliver_due()
    assert (job.count, job.status) == (1, "finished")
    assert receiver.received == []
    assert Delivery.objects.get().status == "failed"


def test_event_types_limit_it(engine, receiver, channel):
    failed(channel, event_type="contact.created")
    wanted = failed(channel, event_type="refund.applied")
    assert start(channel, event_types=["refund.applied"]).count == 1
    engine.deliver_due()
    assert [request.id for request in receiver.received] == [wanted.event_id]


def test_what_fails_again_is_not_taken_twice(engine, receiver, channel):
    receiver.answer = lambda request: 404
    failed(channel)
    start(channel)
    for _ in range(3):
        engine.deliver_due()
        engine._chores_at = 0.0
    assert len(receiver.received) == 1
    assert ReplayJob.objects.get().status == "finished"


def test_tests_and_events_without_a_body_are_left_out(channel):
    failed(channel).event.__class__.objects.update(body=None)
    assert start(channel).count == 0
    assert replay.advance() == 0


def test_a_few_at_a_time(channel, monkeypatch):
    monkeypatch.setattr(replay, "AT_ONCE", 3)
    for _ in range(5):
        failed(channel)
    job = start(channel)
    assert [replay.advance(), replay.advance()] == [3, 0]
    job.refresh_from_db()
    assert (job.replayed, job.status) == (3, "running")
    Delivery.objects.filter(status="pending").update(
        status="succeeded", next_attempt_at=None, finished_at=timezone.now()
    )
    assert replay.advance() == 2
    job.refresh_from_db()
    assert (job.replayed, job.status) == (5, "finished")


def test_several_workers_move_a_job_on_once(channel):
    for _ in range(20):
        failed(channel)
    start(channel)
    barrier = threading.Barrier(4)
    moved: list[int] = []

    def run() -> None:
        barrier.wait(10)
        moved.append(replay.advance())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sum(moved) == 20
    assert ReplayJob.objects.get().replayed == 20


class TestRefusals:
    def test_a_second_one_at_the_same_time(self, channel):
        failed(channel)
        start(channel)
        with pytest.raises(Conflict, match="running already"):
            start(channel)
        assert ReplayJob.objects.count() == 1

    def test_a_paused_channel_but_its_dry_run_counts(self, channel):
        failed(channel)
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        with pytest.raises(Conflict, match="paused"):
            start(channel)
        assert start(channel, dry_run=True).count == 1

    def test_an_unknown_event_type(self, channel):
        with pytest.raises(ValidationError) as refused:
            start(channel, event_types=["order.completed", "moon.landed"])
        assert list(refused.value.message_dict) == ["event_types[1]"]

    def test_a_deleted_channel(self, channel):
        services.archive_channel(channel_id=channel.pk, by="test")
        with pytest.raises(Channel.DoesNotExist):
            start(channel)
        assert ReplayJob.objects.count() == 0


def test_pausing_in_the_middle_makes_it_wait(channel, monkeypatch):
    monkeypatch.setattr(replay, "AT_ONCE", 1)
    failed(channel)
    start(channel)
    pause_channel(channel_id=channel.pk, reason="Maintenance.")
    assert replay.advance() == 0
    resume_channel(channel_id=channel.pk)
    assert replay.advance() == 1


def test_deleting_the_channel_ends_it(channel):
    failed(channel)
    start(channel)
    services.archive_channel(channel_id=channel.pk, by="test")
    assert replay.advance() == 0
    assert ReplayJob.objects.get().status == "finished"
    assert Delivery.objects.get().status == "failed"


def test_a_replay_that_cannot_go_on_does_not_stop_what_happens_now(engine, receiver, channel, monkeypatch):
    def break_down(job: ReplayJob) -> tuple[int, int]:
        raise ZeroDivisionError

    monkeypatch.setattr(replay, "_move", break_down)
    failed(channel)
    start(channel)
    delivery = make_delivery(channel)
    assert engine.deliver_due() == 1
    assert [request.id for request in receiver.received] == [delivery.event_id]
    assert ReplayJob.objects.get().status == "running"


def test_what_waits_for_an_automatic_retry_counts_as_waiting(engine, receiver, channel, monkeypatch, settings):
    monkeypatch.setattr(replay, "AT_ONCE", 3)
    settings.POSTBACK_RETRY_DELAYS_SECONDS = [3600.0]
    settings.CHANNEL_CONCURRENCY = 2
    receiver.answer = lambda request: 503
    for _ in range(12):
        failed(channel)
    start(channel)
    engine.deliver_due()
    for _ in range(3):
        replay.advance()
    waiting = Delivery.objects.filter(status="pending")
    assert sorted(waiting.values_list("next_trigger", flat=True)) == ["automatic"] * 3
    assert ReplayJob.objects.get().replayed == 3
    # Each that ends, in whatever way, makes room for one.
    receiver.answer = lambda request: 200
    waiting.filter(pk=waiting.first().pk).update(next_attempt_at=timezone.now())
    wait_until(lambda: (engine.deliver_due(), ReplayJob.objects.get().status == "finished")[1])
    assert Delivery.objects.filter(status="succeeded").count() == 10


def test_a_manual_retry_takes_a_delivery_out_of_its_replay(channel):
    made = failed(channel, event_type="order.completed")
    start(channel)
    replay.advance()
    Delivery.objects.update(status="failed", next_attempt_at=None, finished_at=timezone.now())
    services.retry_delivery(delivery_id=made.pk, by="test")
    made.refresh_from_db()
    assert (made.next_trigger, made.replayed) == ("manual", False)
