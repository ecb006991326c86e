"""What a process takes beside what it has in flight: receivers that hang stand aside, and tests do."""

import socket
import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from channels_app.services import create_channel
from channels_app.transports import Answer, Outcome
from notifications import services
from notifications.delivery import flights as module
from notifications.delivery.claim import ALERTS_AT_ONCE, ROWS_AT_ONCE, Claim, claim
from notifications.delivery.engine import Engine
from notifications.delivery.flights import SIDE_POOL, Flights
from notifications.delivery.maintenance import recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.events import EVENT_TYPES
from notifications.models import TESTS_AT_ONCE, Delivery, Event, Trigger
from notifications.services import archive_channel
from tests.notifications.deliveries import claim_all, let_leases_run_out, make_delivery
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a receiver that takes every connection and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4096)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def make_many(channels, each: int) -> None:
    events = Event.objects.bulk_create(
        Event(type="order.completed", source="shop", body="{}") for _ in range(each * len(channels))
    )
    Delivery.objects.bulk_create(
        Delivery(event=event, event_type=event.type, channel=channels[number % len(channels)])
        for number, event in enumerate(events)
    )


@pytest.mark.slow
def test_two_hundred_receivers_that_begin_to_hang_at_once_hold_nobody_up(receiver, silent, settings):
    settings.POSTBACK_TIMEOUT_SECONDS = 15.0
    healthy = [create_channel(name=f"Well {n}", kind="postback", url=receiver.url) for n in range(20)]
    hanging = [create_channel(name=f"Silent {n}", kind="postback", url=silent) for n in range(200)]
    make_many(hanging, 3)
    engine = Engine()
    thread = threading.Thread(target=lambda: (engine.deliver_due(), connection.close()))
    thread.start()
    in_flight = Delivery.objects.exclude(lease_token=None)
    wait_until(lambda: in_flight.count() >= 200, timeout=30)
    make_many(healthy, 5)
    # Before the first of the others is cut off.
    of_healthy = Delivery.objects.filter(channel__in=healthy)
    wait_until(lambda: not of_healthy.filter(status="pending").exists(), timeout=30)
    assert of_healthy.filter(status="succeeded").count() == 100
    assert not Delivery.objects.filter(channel__in=hanging).exclude(outcome="").exists()
    engine.stop()
    thread.join(60)
    assert engine.join(timeout=60)


class TestFlights:
    @pytest.fixture
    def flights(self) -> Flights:
        return Flights(4)

    def take(self, flights: Flights) -> list[Claim]:
        claims = claim(**flights.room())
        for each in claims:
            flights.add(each)
        return claims

    def test_young_messages_take_the_slots(self, flights, channel):
        make_many([channel], 6)
        assert len(self.take(flights)) == 4
        assert flights.room()["other_slots"] == 0
        assert self.take(flights) == []
        assert flights.room()["slots"] == SIDE_POOL * 4 - 4

    def test_the_first_message_to_a_channel_waits_for_no_slot(self, flights, channel):
        make_many([channel], 6)
        self.take(flights)
        other = create_channel(name="Other", kind="postback", url="https://example.com/")
        make_many([other], 2)
        assert [each.channel.pk for each in self.take(flights)] == [other.pk]

    def test_what_has_hung_for_long_leaves_its_slot(self, flights, channel, monkeypatch):
        make_many([channel], 6)
        self.take(flights)
        monkeypatch.setattr(module, "SLOW_AFTER_SECONDS", 0.0)
        assert flights.room() == {
            "slots": SIDE_POOL * 4 - 4,
            "slowed_slots": SIDE_POOL * 4 // 2 - 4,
            "other_slots": 4,
            "test_slots": 4,
            "alert_slots": ALERTS_AT_ONCE,
            "alone": True,
        }

    def test_tests_take_no_slot_and_are_as_many_as_there_are_slots_at_most(self, flights, channel):
        for number in range(3):
            each = create_channel(name=str(number), kind="postback", url="https://example.com/")
            TestTests().send(each, 2)
        assert [each.trigger for each in self.take(flights)] == [Trigger.TEST] * 4
        assert flights.room()["test_slots"] == 0
        assert flights.room()["other_slots"] == 4
        assert self.take(flights) == []

    def test_what_ends_leaves_its_slot(self, flights, channel):
        make_many([channel], 6)
        claims = self.take(flights)
        flights.remove(claims)
        assert len(flights) == 0
        assert flights.room()["other_slots"] == 4

    def test_what_hangs_holds_half_of_the_whole_at_most(self, flights, channel, monkeypatch, settings):
        settings.CHANNEL_CONCURRENCY = 100
        monkeypatch.setattr(module, "SLOW_AFTER_SECONDS", 0.0)
        make_many([channel], 30)
        for _ in range(10):
            self.take(flights)
        monkeypatch.setattr("notifications.delivery.claim.SLOW_AFTER_SECONDS", -100.0)
        for _ in range(10):
            self.take(flights)
        assert flights.room()["slowed_slots"] == 0
        assert flights.room()["slots"] > 0

    def test_a_suspect_is_followed_by_the_next_when_it_has_ended_or_lives_for_a_while(
        self, flights, channel, monkeypatch
    ):
        make_many([channel], 3)
        claim_all()
        let_leases_run_out()
        recover()
        (first,) = self.take(flights)
        assert first.suspect
        assert flights.room()["alone"] is False
        assert self.take(flights) == []
        flights.remove([first])
        assert len(self.take(flights)) == 1
        monkeypatch.setattr(module, "SUSPECT_SECONDS", 0.0)
        assert len(self.take(flights)) == 1


class TestTests:
    def send(self, channel, number: int) -> None:
        for _ in range(number):
            services.send_test(channel_id=channel.pk, event_type=EVENT_TYPES["order.completed"], by="test")

    def test_many_tests_of_one_channel_go_a_few_at_a_time(self, channel):
        self.send(channel, 128)
        first = claim(slots=64, slowed_slots=32)
        assert [each.trigger for each in first] == [Trigger.TEST] * TESTS_AT_ONCE
        assert claim(slots=64, slowed_slots=32) == []
        record([Result(first[0], Answer(Outcome.SUCCEEDED, status_code=200), 1)])
        assert len(claim(slots=64, slowed_slots=32)) == 1

    def test_those_of_another_channel_go_beside_them(self, channel):
        self.send(channel, 3)
        claim_all()
        other = create_channel(name="Other", kind="postback", url="https://example.com/")
        self.send(other, 1)
        assert len(claim_all()) == 1

    def test_those_of_a_deleted_channel_do_not_go(self, channel):
        """A transaction that overlapped the deletion may have recorded one."""
        archive_channel(channel_id=channel.pk, by="test")
        make_delivery(channel, next_trigger=Trigger.TEST)
        assert claim_all() == []


@pytest.mark.slow
def test_one_claim_takes_so_many_rows_at_most_and_the_engine_goes_on_until_all_are_taken(engine, receiver, settings):
    settings.DELIVERY_CONCURRENCY = 300
    engine = Engine()
    channels = [create_channel(name=str(n), kind="postback", url=receiver.url) for n in range(ROWS_AT_ONCE + 20)]
    make_many(channels, 2)
    assert len(claim_all(slots=1000)) == ROWS_AT_ONCE
    let_leases_run_out()
    assert engine.deliver_due() == 2 * len(channels)
    engine.stop()
    assert engine.join(timeout=20)
