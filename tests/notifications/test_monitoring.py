"""Whether delivering goes on, as `check_delivery`, `/readyz` and the banners see it."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alerts, monitoring, services
from notifications.delivery.chores import beat
from notifications.delivery.claim import claim
from notifications.models import ChannelHealth, Heartbeat
from tests.notifications.deliveries import make_delivery

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


def test_a_failing_or_paused_channel_waits_on_purpose(channel):
    waiting(channel, 300)
    ChannelHealth.objects.create(channel=channel, failures_in_row=5)
    paused = create_channel(name="Bookkeeping", kind="postback", url="https://example.com/")
    waiting(paused, 300)
    services.pause_channel(channel_id=paused.pk, reason="", by="test")
    assert monitoring.look().oldest_due is None


def test_what_waits_is_counted(channel):
    for _ in range(3):
        waiting(channel, 1)
    assert len(claim(slots=1, slowed_slots=1)) == 1
    failing = create_channel(name="Mailing", kind="postback", url="https://example.com/")
    ChannelHealth.objects.create(channel=failing, failures_in_row=5)
    waiting(failing, 1)
    alerts.channel_failing(channel_id=failing.pk)
    assert monitoring.count() == monitoring.Counts(due=2, in_flight=1, channels_failing=1, alerts_waiting=1)


def test_looking_takes_one_query_of_the_database(channel, django_assert_num_queries):
    with django_assert_num_queries(1):
        monitoring.look()
