"""Whether delivering goes on, as `check_delivery`, `/readyz` and the banners see it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alert_raising, monitoring, services
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import beat
from notifications.models import TESTS_AT_ONCE, ChannelHealth, Delivery, Heartbeat
from notifications.waiting import CHANNELS_NAMED
from tests.notifications.deliveries import make_delivery
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def beating(db) -> None:
    for name in Heartbeat.Name:
        beat(name, at_most_every=0)


def waiting(channel: Channel, seconds: float) -> None:
    make_delivery(channel, next_attempt_at=timezone.now() - timedelta(seconds=seconds))


def test_the_oldest_due_delivery_is_named_by_its_age(channel):
    waiting(channel, 30)
    waiting(channel, 300)
    assert 300 <= monitoring.look().oldest_due < 330
    with pytest.raises(CommandError, match=r"^The oldest due delivery has waited for 5 min\.$"):
        call_command("check_delivery", max_age=120)
    call_command("check_delivery", max_age=600)


def test_nothing_due_has_no_age(channel):
    make_delivery(channel, next_attempt_at=timezone.now() + timedelta(hours=1))
    assert monitoring.look().oldest_due is None


def in_flight_on(channel: Channel, number: int) -> None:
    for _ in range(number):
        make_delivery(channel, lease_token=uuid4(), lease_expires_at=timezone.now() + timedelta(seconds=60))


def told(capsys) -> list[str]:
    call_command("check_delivery", max_age=120)
    lines: list[str] = capsys.readouterr().out.splitlines()
    return lines


def test_what_waits_for_a_channel_is_said_and_no_fault_of_the_whole(channel, settings, capsys):
    """One dead receiver among many must not raise the alarm of all; that something waits is never kept silent."""
    settings.CHANNEL_CONCURRENCY = 1
    waiting(channel, 300)
    ChannelHealth.objects.create(channel=channel, failures_in_row=5)
    paused = create_channel(name="Bookkeeping", kind="postback", url="https://example.com/")
    waiting(paused, 3600)
    services.pause_channel(channel_id=paused.pk, reason="", by="test")
    slow = create_channel(name="Mailing", kind="postback", url="https://example.com/")
    in_flight_on(slow, 1)
    waiting(slow, 200)
    seen = monitoring.look()
    assert (3600 <= seen.oldest_due < 3660, seen.oldest_sendable, seen.problems(max_age=120)) == (True, None, [])
    assert told(capsys) == [
        "Delivering: database, broker, worker and beat are well, and nothing that could be sent now is overdue.",
        "A delivery to Bookkeeping has waited for 60 min: the channel is paused.",
        "A delivery to Warehouse has waited for 5 min: the channel keeps failing and is asked less often.",
        "A delivery to Mailing has waited for 3 min: the channel has as many in flight as it may have.",
    ]
    ready = create_channel(name="Search", kind="postback", url="https://example.com/")
    waiting(ready, 190)
    with pytest.raises(CommandError) as refused:
        call_command("check_delivery", max_age=120)
    assert str(refused.value).splitlines() == [
        "The oldest due delivery has waited for 3 min.",
        "A delivery to Bookkeeping has waited for 60 min: the channel is paused.",
        "A delivery to Warehouse has waited for 5 min: the channel keeps failing and is asked less often.",
        "A delivery to Mailing has waited for 3 min: the channel has as many in flight as it may have.",
    ]


def test_a_channel_at_its_cap_waits_for_itself_also_between_an_answer_and_the_next_claim(channel, settings):
    """Else a monitor that asks at that moment sees the age of the whole backlog, and nothing at the next."""
    settings.CHANNEL_CONCURRENCY = 2
    waiting(channel, 500)
    in_flight_on(channel, 2)
    reasons = set()
    for _ in range(3):
        reasons |= {each.reason for each in monitoring.look().lateness.worst}
        finish(channel)
        reasons |= {each.reason for each in monitoring.look().lateness.worst}
        in_flight_on(channel, 2)
    assert reasons == {"cap"}
    finish(channel)
    Delivery.objects.filter(status="succeeded").update(finished_at=timezone.now() - timedelta(seconds=30))
    assert monitoring.look().oldest_sendable > 500  # its slots have been free for long: that is the workers' doing


def finish(channel: Channel) -> None:
    Delivery.objects.filter(channel=channel).exclude(lease_token=None).update(
        status="succeeded", finished_at=timezone.now(), lease_token=None, lease_expires_at=None, next_attempt_at=None
    )


def test_many_channels_are_counted_and_the_worst_named(channel):
    for number in range(CHANNELS_NAMED + 5):
        each = create_channel(name=f"Failing {number:02}", kind="postback", url="https://example.com/")
        ChannelHealth.objects.create(channel=each, failures_in_row=5)
        waiting(each, 1000 - number)
    waiting(channel, 130)
    seen = monitoring.look()
    assert [each.channel for each in seen.lateness.worst] == [
        *(f"Failing {number:02}" for number in range(CHANNELS_NAMED)),
        "Warehouse",
    ]
    assert 130 <= seen.oldest_sendable < 150
    assert seen.waits()[-1] == "Deliveries to 5 more channels wait, for less long."


def test_a_test_is_sent_outside_every_rate(channel):
    ChannelHealth.objects.create(channel=channel, failures_in_row=5)
    make_delivery(channel, next_trigger="test", next_attempt_at=timezone.now() - timedelta(seconds=300))
    assert monitoring.look().oldest_sendable > 299


def test_tests_beyond_those_that_may_be_in_flight_wait_for_their_channel(channel):
    for _ in range(TESTS_AT_ONCE + 1):
        make_delivery(channel, next_trigger="test", next_attempt_at=timezone.now() - timedelta(seconds=300))
    assert len(claim(slots=64, slowed_slots=64)) == TESTS_AT_ONCE
    seen = monitoring.look()
    assert seen.oldest_sendable is None
    assert [each.reason for each in seen.lateness.worst] == ["cap"]


def test_what_waits_is_counted(channel):
    for _ in range(3):
        waiting(channel, 1)
    assert len(claim(slots=1, slowed_slots=1)) == 1
    failing = create_channel(name="Mailing", kind="postback", url="https://example.com/")
    ChannelHealth.objects.create(channel=failing, failures_in_row=5)
    waiting(failing, 1)
    alert_raising.channel_failing(channel_id=failing.pk)
    counts = monitoring.count()
    assert counts == monitoring.Counts(
        due=3, sendable=2, in_flight=1, channels_failing=1, alerts_waiting=1, alert_age=counts.alert_age
    )
    assert counts.alert_age is not None and 0 <= counts.alert_age < 60
    assert monitoring.count_due([channel.pk, failing.pk]) == {channel.pk: 2, failing.pk: 1}


def test_what_waits_is_counted_up_to_a_bound(channel, monkeypatch):
    monkeypatch.setattr(monitoring, "COUNTED_AT_MOST", 4)
    monkeypatch.setattr(monitoring, "COUNTED_OF_A_CHANNEL", 2)
    other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
    for each in (channel, channel, channel, other, other, other):
        waiting(each, 1)
    counts = monitoring.count()
    assert (counts.due, counts.sendable) == (4, 4)
    ChannelHealth.objects.create(channel=channel, failures_in_row=5)
    counts = monitoring.count()
    assert (counts.due, counts.sendable) == (4, 3)
    assert monitoring.count_due([channel.pk, other.pk]) == {channel.pk: 2, other.pk: 2}


def test_looking_takes_one_query_of_the_database(channel, django_assert_num_queries):
    with django_assert_num_queries(1):
        monitoring.look()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_busy_channel_is_told_steadily_while_its_backlog_is_worked_off(engine, receiver, channel, settings):
    """With a real receiver that takes its time: whenever a monitor asks, it hears the same."""
    settings.CHANNEL_CONCURRENCY = 2
    receiver.answer = lambda request: time.sleep(0.1) or 200
    for _ in range(60):
        waiting(channel, 458)
    begun = len(receiver.received)
    seen = []
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(engine.deliver_due)
        wait_until(lambda: len(receiver.received) > begun + 4)
        while not done.done():
            seen += monitoring.look().lateness.worst
    assert len(seen) > 20
    assert {each.reason for each in seen} == {"cap"}
    assert min(each.seconds for each in seen) >= 458
