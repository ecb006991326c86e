"""A test that a person sends: a sample, once, outside every rate."""

import json
import threading

import pytest
from django.core.exceptions import ValidationError
from standardwebhooks import Webhook

from channels_app.services import pause_channel
from notifications import services
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import recover
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.models import ChannelHealth, Delivery
from tests.notifications.deliveries import let_leases_run_out, make_delivery, story
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ANNOUNCED = [key for key, event_type in EVENT_TYPES.items() if event_type.data is not None]


def send(channel, key: str = "order.completed") -> Delivery:
    return services.send_test(channel_id=channel.pk, event_type=EVENT_TYPES[key], by="test")


@pytest.mark.parametrize("key", ANNOUNCED)
def test_a_sample_of_each_event_type_arrives_signed(engine, receiver, channel, key):
    delivery = send(channel, key)
    engine.deliver_due()
    (request,) = receiver.received
    assert request.id.startswith("evt_test_")
    assert len(request.id) <= 40
    assert request.event["type"] == key
    Webhook(channel.secret).verify(request.body, request.headers)
    assert story(delivery) == [(1, "test", "succeeded", 200)]


@pytest.mark.parametrize("key", ANNOUNCED)
def test_a_sample_has_the_form_of_the_real_thing(channel, key):
    """Validated by the model that real events are built with; unknown members and nulls show up here."""
    body = json.loads(send(channel, key).event.body)
    assert list(body) == ["id", "type", "timestamp", "source", "data"]
    assert body["data"]


def test_a_paused_channel_gets_it_all_the_same(engine, receiver, channel):
    pause_channel(channel_id=channel.pk, reason="Maintenance.")
    held, test = make_delivery(channel), send(channel)
    assert Delivery.objects.select_related("channel").get(pk=test.pk).shown_status == "pending"
    engine.deliver_due()
    assert [request.id for request in receiver.received] == [test.event_id]
    held.refresh_from_db()
    assert held.status == "pending"


def test_it_goes_past_the_cap_and_past_the_back_off(engine, receiver, channel, settings):
    settings.CHANNEL_CONCURRENCY = 1
    go_on = threading.Event()
    receiver.answer = lambda request: 200 if request.id.startswith("evt_test_") or go_on.wait(20) else 500
    make_delivery(channel)
    thread = threading.Thread(target=engine.deliver_due)
    thread.start()
    wait_until(lambda: len(receiver.received) == 1)
    ChannelHealth.objects.create(channel=channel, failures_in_row=9, probe_at="2999-01-01T00:00:00Z")
    test = send(channel)
    engine.deliver_due()
    wait_until(lambda: Delivery.objects.get(pk=test.pk).status == "succeeded")
    go_on.set()
    thread.join(20)


def test_it_is_sent_once_and_teaches_nothing_of_the_channel(engine, receiver, channel):
    receiver.answer = lambda request: 503
    test = send(channel)
    engine.deliver_due()
    test.refresh_from_db()
    assert story(test) == [(1, "test", "http_error", 503)]
    assert test.status == "failed"
    assert ChannelHealth.objects.count() == 0
    with pytest.raises(Conflict, match="It is a test"):
        services.retry_delivery(delivery_id=test.pk, by="test")


def test_it_is_not_sent_again_when_its_worker_died(channel):
    test = send(channel)
    assert len(claim(slots=1, slowed_slots=1)) == 1
    let_leases_run_out()
    recover()
    test.refresh_from_db()
    assert (test.status, test.outcome) == ("failed", "unknown")


def test_a_kind_that_the_event_type_refuses_is_refused(channel):
    type(channel).objects.update(kind="email")
    with pytest.raises(ValidationError) as refused:
        send(channel, "customer.created")
    assert list(refused.value.message_dict) == ["event_type"]
    assert Delivery.objects.count() == 0


def test_deleting_the_channel_fails_it(engine, receiver, channel):
    test = send(channel)
    services.archive_channel(channel_id=channel.pk, by="test")
    engine.deliver_due()
    test.refresh_from_db()
    assert (test.status, test.error) == ("failed", "The channel was deleted.")
    assert receiver.received == []
