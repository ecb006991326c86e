"""What the doctor says of workers, beat and deliveries."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.services import create_channel
from notifications.delivery.maintenance import beat
from notifications.models import Heartbeat
from tests.config.doctor.looking import look
from tests.notifications.deliveries import make_delivery

pytestmark = pytest.mark.django_db


def test_workers_and_beat_that_were_seen_are_well() -> None:
    for heartbeat in Heartbeat.Name:
        beat(heartbeat, at_most_every=0)
    for name, sentence in (("worker", "One has claimed "), ("beat", "It has run ")):
        ((status, says, do),) = look(name)
        assert (status, says[: len(sentence)], do) == ("ok", sentence, "")
    assert look("deliveries") == [("ok", "None that could be sent waits for long.", "")]


def test_those_that_were_not_are_faults_that_say_how_to_start_them() -> None:
    for name, program in (("worker", "celery -A config worker"), ("beat", "celery -A config beat")):
        ((status, says, do),) = look(name)
        assert status == "fault"
        assert "as long as this database exists" in says
        assert program in do


def test_what_could_be_sent_and_waits_is_a_fault_and_what_waits_for_its_channel_a_warning() -> None:
    waits = timezone.now() - timedelta(minutes=10)
    make_delivery(create_channel(name="Warehouse", kind="postback", url="https://example.com/"), next_attempt_at=waits)
    ((status, says, _),) = look("deliveries")
    assert (status, says) == ("fault", "The oldest due delivery has waited for 10 min.")
    paused = create_channel(name="Mailing", kind="postback", url="https://example.com/")
    make_delivery(paused, next_attempt_at=waits)
    paused.paused_at = timezone.now()
    paused.save()
    (_, (status, says, _)) = look("deliveries")
    assert status == "warning"
    assert says.startswith("A delivery to Mailing has waited for 10 min: the channel ")
