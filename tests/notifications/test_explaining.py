"""Why a channel was told of an event, or was not, in sentences that say what to do."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.notifications.events import explain, explain_all
from channels_app.models import Channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event, Trigger

COMPLETED = EVENT_TYPES["order.completed"]


@pytest.fixture
def warehouse(db) -> Channel:
    return services.create_channel(name="Warehouse", kind="postback", url="https://example.com/", by="t")


def happened(channel: Channel | None, outcome: str = "delivered", *, key: str = "order.completed", **delivery) -> Event:
    event = Event.objects.create(type=key, source="funnel", body="{}")
    if channel:
        made = None
        if delivery:
            made = Delivery.objects.create(event=event, event_type=key, channel=channel, **delivery)
        route = {"channel": channel.pk, "name": channel.name, "outcome": outcome, "delivery": made.pk if made else None}
        event.routing = [route]
        event.save(update_fields=["routing"])
    return event


def sentences(event: Event) -> list[str]:
    return [explained.sentence for explained in explain(event)]


def attach(channel: Channel, *sources: str) -> None:
    services.attach_channel(event_type=COMPLETED, channel_id=channel.pk, sources=sources, by="t")


FAILED = {"status": "failed", "next_attempt_at": None, "finished_at": "2026-11-23T18:36:00Z", "attempts_made": 4}


def test_a_channel_that_was_told(warehouse):
    done = {**FAILED, "status": "succeeded", "status_code": 204}
    event = happened(warehouse, **done)
    assert sentences(event) == ["Warehouse was told and answered 204."]
    assert explain(event)[0].delivery == Delivery.objects.get()


def test_a_channel_that_was_not_reached_and_can_be_told_again(warehouse):
    event = happened(warehouse, error="The receiver answered 503.", **FAILED)
    assert sentences(event) == ["Warehouse was not reached: the receiver answered 503. Open the delivery to retry it."]


def test_a_channel_that_was_not_reached_where_there_is_no_retry(warehouse):
    event = happened(warehouse, key="contact.created", error="The receiver answered 503.", **FAILED)
    assert sentences(event) == ["Warehouse was not reached: the receiver answered 503."]


def test_a_channel_that_has_yet_to_be_told(warehouse):
    event = happened(warehouse, status="pending")
    delivery = Delivery.objects.get()
    assert sentences(event) == ["Warehouse has not been told yet: the delivery is waiting to be sent."]
    Delivery.objects.update(attempts_made=1)
    assert sentences(event) == ["Warehouse has not been reached yet: 1 attempt failed so far, and it is tried again."]
    Delivery.objects.update(attempts_made=2)
    assert sentences(event) == ["Warehouse has not been reached yet: 2 attempts failed so far, and it is tried again."]
    services.pause_channel(channel_id=warehouse.pk, reason="Moving house", by="t")
    assert sentences(event) == [
        "Warehouse has not been told yet: the channel is paused. It will be once somebody resumes the channel."
    ]
    Delivery.objects.update(
        lease_token="6a9e0c1e-5f0e-4a57-8c5e-6b1f3c3f1f00",
        lease_expires_at="2030-01-01T00:00:00Z",
    )
    assert sentences(event) == ["Warehouse is being told right now."]
    assert explain(event)[0].delivery == delivery


def test_a_source_that_the_channel_did_not_listen_to_and_what_to_do(warehouse):
    event = happened(warehouse, "source_not_chosen")
    said = "Warehouse was not told: it did not listen to the source Funnel."
    assert sentences(event) == [f"{said} It is no longer attached."]
    attach(warehouse, "admin", "shop")
    assert sentences(event) == [f"{said} It listens to Admin and Shop only: edit its sources to have it told."]
    assert explain(event)[0].attached
    services.change_sources(event_type=COMPLETED, channel_id=warehouse.pk, sources=["funnel"], by="t")
    assert sentences(event) == [f"{said} It does now, for what happens from now on."]


def test_an_event_type_that_was_off_and_what_to_do(warehouse):
    attach(warehouse, "funnel")
    event = happened(warehouse, "event_disabled")
    said = "Warehouse was not told: Order completed was turned off at that time."
    assert sentences(event) == [f"{said} It is still off: turn it on to have channels told."]
    services.set_event_type_enabled(event_type=COMPLETED, enabled=True, by="t")
    assert sentences(event) == [f"{said} It is on now, for what happens from now on."]


def test_a_kind_that_the_event_type_does_not_take(warehouse):
    event = happened(warehouse, "kind_not_allowed", key="customer.created")
    assert sentences(event) == ["Warehouse was not told: Customer created goes to postback channels only."]


def test_nobody_was_attached_and_a_channel_attached_since(warehouse):
    event = happened(None)
    nobody = "Nobody was told: no channel was attached to Order completed at that time."
    assert sentences(event) == [nobody]
    assert (explain(event)[0].outcome, explain(event)[0].delivery) == ("nobody", None)
    attach(warehouse, "funnel")
    assert sentences(event) == [
        nobody,
        "Warehouse was not told: it was attached to Order completed only afterwards. What happened before is not sent.",
    ]


def test_a_test_is_for_one_channel_whoever_else_is_attached(warehouse):
    attach(warehouse, "admin")
    other = services.create_channel(name="Other", kind="postback", url="https://example.com/", headers={}, by="t")
    delivery = services.send_test(channel_id=other.pk, event_type=COMPLETED, by="t")
    assert delivery.next_trigger == Trigger.TEST
    assert sentences(delivery.event) == ["Other has not been told yet: the delivery is waiting to be sent."]


def test_many_events_cost_the_queries_of_one(warehouse):
    attach(warehouse, "funnel")
    events = [happened(warehouse, error="Broken.", **FAILED) for _ in range(5)]
    with CaptureQueriesContext(connection) as one:
        explain(events[0])
    with CaptureQueriesContext(connection) as many:
        explained = explain_all(events)
    assert (len(one), len(many)) == (3, 3)
    assert [len(explained[event.pk]) for event in events] == [1, 1, 1, 1, 1]
