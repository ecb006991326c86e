"""Turning off, detaching and deleting, in every order, around a delivery in every state."""

from itertools import permutations

import pytest

from channels_app.services import pause_channel, resume_channel
from channels_app.transports import Answer, Outcome
from notifications import services
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, EventChannel, EventTypeSwitch
from tests.notifications.deliveries import make_due, story
from tests.orders.shop import item, pay, place

pytestmark = pytest.mark.django_db(transaction=True)

EVENT_TYPE = EVENT_TYPES["order.completed"]
CHANGES = ("turn off", "detach", "delete")
ORDERS = [changes for count in (1, 2, 3) for changes in permutations(CHANGES, count)]
# Detaching what a deletion has detached already is refused, which the API's own test covers.
ORDERS = [
    changes for changes in ORDERS if "delete" not in changes or "detach" not in changes[changes.index("delete") :]
]
# Each change alone in `make check`, all orders of them in `make test`.
WALK = [pytest.param(changes, marks=() if len(changes) == 1 else pytest.mark.slow) for changes in ORDERS]
DELETED = "The channel was deleted."


def change(channel, changes: tuple[str, ...]) -> None:
    for name in changes:
        if name == "turn off":
            services.set_event_type_enabled(event_type=EVENT_TYPE, enabled=False, by="test")
        elif name == "detach":
            services.detach_channel(event_type=EVENT_TYPE, channel_id=channel.pk, by="test")
        else:
            services.archive_channel(channel_id=channel.pk, by="test")
    # What was asked for holds.
    assert EventTypeSwitch.objects.get().enabled == ("turn off" not in changes)
    assert EventChannel.objects.count() == (0 if {"detach", "delete"} & set(changes) else 1)


def answer(claimed, outcome: Outcome, status: int | None = None) -> None:
    assert record([Result(claimed, Answer(outcome, status_code=status), 1)]) == 1


@pytest.fixture
def delivery(attach, channel, lead, mug, settings) -> Delivery:
    settings.POSTBACK_RETRY_DELAYS_SECONDS = [3600.0]
    attach(channel, "order.completed")
    pay(place(lead, item("mug")))
    return Delivery.objects.get()


def state(delivery: Delivery) -> tuple[str, str]:
    delivery.refresh_from_db()
    return delivery.status, delivery.error


@pytest.mark.parametrize("changes", WALK, ids=", ".join)
class TestAround:
    def test_a_delivery_that_waits(self, engine, receiver, channel, delivery, changes):
        change(channel, changes)
        engine.deliver_due()
        if "delete" in changes:
            assert state(delivery) == ("failed", DELETED)
            assert receiver.received == []
        else:
            assert state(delivery) == ("succeeded", "")
            assert story(delivery) == [(1, "first", "succeeded", 200)]

    def test_a_delivery_in_flight_that_arrives(self, channel, delivery, changes):
        (claimed,) = claim(slots=1, slowed_slots=1)
        change(channel, changes)
        answer(claimed, Outcome.SUCCEEDED, 200)
        assert state(delivery) == ("succeeded", "")

    def test_a_delivery_in_flight_that_is_to_be_retried(self, engine, receiver, channel, delivery, changes):
        (claimed,) = claim(slots=1, slowed_slots=1)
        change(channel, changes)
        answer(claimed, Outcome.HTTP_ERROR, 503)
        if "delete" in changes:
            assert state(delivery) == ("failed", DELETED)
        else:
            assert state(delivery) == ("pending", "")
            make_due()
            engine.deliver_due()
            assert story(delivery) == [(1, "first", "http_error", 503), (2, "automatic", "succeeded", 200)]

    def test_a_delivery_whose_retry_waits(self, engine, receiver, channel, delivery, changes):
        (claimed,) = claim(slots=1, slowed_slots=1)
        answer(claimed, Outcome.HTTP_ERROR, 503)
        change(channel, changes)
        make_due()
        engine.deliver_due()
        assert state(delivery) == (("failed", DELETED) if "delete" in changes else ("succeeded", ""))

    def test_a_delivery_that_is_held(self, engine, receiver, channel, delivery, changes):
        pause_channel(channel_id=channel.pk, reason="Maintenance.")
        change(channel, changes)
        engine.deliver_due()
        assert receiver.received == []
        if "delete" in changes:
            assert state(delivery) == ("failed", DELETED)
        else:
            resume_channel(channel_id=channel.pk)
            engine.deliver_due()
            assert state(delivery) == ("succeeded", "")

    def test_a_delivery_whose_worker_died(self, engine, receiver, channel, delivery, changes):
        claim(slots=1, slowed_slots=1)
        change(channel, changes)
        Delivery.objects.update(lease_expires_at="2000-01-01T00:00:00Z")
        recover()
        engine.deliver_due()
        assert state(delivery) == (("failed", DELETED) if "delete" in changes else ("succeeded", ""))

    def test_nothing_new_is_delivered(self, engine, channel, delivery, lead, mug, changes):
        change(channel, changes)
        pay(place(lead, item("mug")), reference="r2")
        assert Delivery.objects.count() == 1
