"""An announced fact becomes one event and its deliveries, in the transaction of the fact."""

import json
from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel
from notifications import doorbell, receivers, services
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.events.orders import OrderData
from notifications.models import Delivery, Event, EventChannel
from orders.models import Order
from orders.services import get_order
from tests.orders.shop import contact_input, decline, item, pay, place, refund

pytestmark = pytest.mark.django_db


def outcomes(event: Event) -> dict[str, str]:
    return {route["name"]: route["outcome"] for route in event.routing}


def test_a_first_purchase_in_the_shop_is_recorded_as_three_events_in_order(channel, attach, lead, mug):
    attach(channel)
    pay(place(lead, item("mug")))
    events = list(Event.objects.order_by("created_at"))
    assert [event.type for event in events] == ["transaction.approved", "customer.created", "order.completed"]
    assert Delivery.objects.count() == 3
    # Built after all changes: each body carries the same, final order.
    orders = [json.loads(event.body)["data"]["order"] for event in events]
    assert [order["status"] for order in orders] == ["completed"] * 3
    assert orders[0] == orders[1] == orders[2]
    assert json.loads(events[0].body)["data"]["order"]["contact"]["status"] == "customer"


def test_each_event_type_of_the_shop_floor_is_recorded_once(channel, attach, lead, mug):
    attach(channel)
    order = place(contact_input("grace@example.com"), item("mug"))
    decline(order)
    pay(order)
    refund(order, "2.50")
    assert sorted(Event.objects.values_list("type", flat=True)) == [
        "contact.created",
        "customer.created",
        "order.completed",
        "refund.applied",
        "transaction.approved",
        "transaction.declined",
    ]


def test_an_undone_call_leaves_no_event_and_no_delivery(channel, attach, lead, mug):
    attach(channel)
    order = place(lead, item("mug"))
    with pytest.raises(RuntimeError), transaction.atomic():
        pay(order)
        raise RuntimeError("undone")
    assert Event.objects.count() == 0
    assert Delivery.objects.count() == 0


def test_a_disabled_event_type_is_recorded_with_the_reason_and_reaches_nobody(channel, attach, lead, mug):
    attach(channel, "order.completed")
    services.set_event_type_enabled(event_type=EVENT_TYPES["order.completed"], enabled=False, by="test")
    pay(place(lead, item("mug")))
    event = Event.objects.get(type="order.completed")
    assert outcomes(event) == {"Warehouse": "event_disabled"}
    assert event.routing[0]["delivery"] is None
    assert Delivery.objects.count() == 0


def test_an_event_without_attached_channels_is_recorded(lead, mug):
    pay(place(lead, item("mug")))
    assert Event.objects.get(type="order.completed").routing == []


def test_sources_choose_which_channels_hear_of_it(attach, channel, lead, mug):
    other = create_channel(name="Funnels only", kind="postback", url="https://example.com/")
    attach(channel, "order.completed", sources=("shop",))
    attach(other, "order.completed", sources=("funnel", "admin"))
    pay(place(lead, item("mug")))
    event = Event.objects.get(type="order.completed")
    assert outcomes(event) == {"Warehouse": "delivered", "Funnels only": "source_not_chosen"}
    assert Delivery.objects.get().channel == channel


def test_a_paused_channel_gets_its_delivery_held(attach, channel, lead, mug):
    attach(channel, "order.completed")
    pause_channel(channel_id=channel.pk, reason="Maintenance.")
    pay(place(lead, item("mug")))
    assert outcomes(Event.objects.get(type="order.completed")) == {"Warehouse": "held"}
    delivery = Delivery.objects.select_related("channel").get()
    assert (delivery.status, delivery.shown_status) == ("pending", "held")


def test_a_channel_of_a_refused_kind_is_not_reached_even_where_it_was_attached(attach, channel, lead, mug):
    attach(channel, "customer.created")
    Channel.objects.update(kind="email")
    pay(place(lead, item("mug")))
    assert outcomes(Event.objects.get(type="customer.created")) == {"Warehouse": "kind_not_allowed"}
    assert Delivery.objects.count() == 0


def test_staff_refunding_a_shop_order_causes_a_shop_event(attach, channel, lead, mug):
    attach(channel, "refund.applied", sources=("shop",))
    order = place(lead, item("mug"))
    pay(order)
    refund(order, "1.00")
    event = Event.objects.get(type="refund.applied")
    assert event.source == "shop"
    assert event.order_id == order.pk
    assert event.contact_id == lead.pk
    assert Delivery.objects.count() == 1


def test_recording_takes_three_statements_however_many_channels(attach, lead, mug, django_assert_num_queries):
    for number in range(5):
        attach_to = create_channel(name=f"Channel {number}", kind="postback", url="https://example.com/")
        attach(attach_to, "order.completed")
    order = get_order(number=place(lead, item("mug")).number)
    # Route, event, deliveries.
    with transaction.atomic(), django_assert_num_queries(3):
        receivers.record_event(EVENT_TYPES["order.completed"], source="shop", facts={"order": order})
    assert Delivery.objects.count() == 5


def test_a_body_that_cannot_be_built_breaks_no_order_and_strands_no_delivery(attach, channel, lead, mug, monkeypatch):
    attach(channel, "order.completed")
    broken = replace(EVENT_TYPES["order.completed"], build=lambda **facts: 1 / 0)  # a bug in a builder
    monkeypatch.setitem(EVENT_TYPES, "order.completed", broken)
    receivers.record_event(broken, source="shop", facts={"order": place(lead, item("mug"))})
    event = Event.objects.get(type="order.completed")
    assert event.body is None
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.outcome, delivery.attempts_made) == ("failed", "internal_error", 0)
    assert delivery.error == receivers.BODY_NOT_BUILT

    with pytest.raises(Conflict, match="still cannot be built"):
        services.retry_delivery(delivery_id=delivery.pk, by="test")
    delivery.refresh_from_db()
    assert delivery.status == "failed"

    monkeypatch.undo()
    services.retry_delivery(delivery_id=delivery.pk, by="test")
    event.refresh_from_db()
    body = json.loads(event.body)
    assert (body["id"], body["type"], body["source"]) == (event.pk, "order.completed", "shop")
    assert body["data"]["order"]["number"] == event.order.number
    delivery.refresh_from_db()
    assert delivery.status == "pending"


def test_a_body_that_needs_a_statement_is_built_within_a_savepoint(attach, channel, lead, mug, monkeypatch):
    attach(channel, "order.completed")

    def build(*, order: Order) -> OrderData:
        return OrderData.model_validate({"order": get_order(number=order.number)})

    asking = replace(EVENT_TYPES["order.completed"], build=build)
    receivers.record_event(asking, source="shop", facts={"order": place(lead, item("mug"))})
    body = Event.objects.get(type="order.completed").body
    assert body is not None
    assert json.loads(body)["data"]["order"]["contact"]["email"] == lead.email
    assert Delivery.objects.get().status == "pending"


def test_a_fault_of_the_database_while_building_leaves_the_order_unharmed(attach, channel, lead, mug, monkeypatch):
    attach(channel, "order.completed")

    def build(*, order: Order) -> OrderData:
        Order.objects.raw("SELECT no_such_column FROM orders_order")[0]
        raise AssertionError("not reached")

    broken = replace(EVENT_TYPES["order.completed"], build=build)
    monkeypatch.setitem(EVENT_TYPES, "order.completed", broken)
    order = place(lead, item("mug"))
    with transaction.atomic():
        receivers.record_event(broken, source="shop", facts={"order": order})
        order.save()
    assert Event.objects.get(type="order.completed").body is None


def test_the_doorbell_rings_once_a_transaction(attach, channel, lead, mug, django_capture_on_commit_callbacks):
    attach(channel)
    order = place(lead, item("mug"))
    with django_capture_on_commit_callbacks() as callbacks:
        pay(order)
    assert Delivery.objects.count() == 3
    assert callbacks.count(doorbell.ring) == 1


def test_nothing_rings_where_nobody_is_to_hear(lead, mug, django_capture_on_commit_callbacks):
    order = place(lead, item("mug"))
    with django_capture_on_commit_callbacks() as callbacks:
        pay(order)
    assert doorbell.ring not in callbacks


class TestAttaching:
    def test_all_of_it(self, channel, attach):
        attachment = services.attach_channel(
            event_type=EVENT_TYPES["refund.applied"], channel_id=channel.pk, sources=["funnel", "admin"], by="test"
        )
        assert attachment.sources == ["admin", "funnel"]
        services.change_sources(
            event_type=EVENT_TYPES["refund.applied"], channel_id=channel.pk, sources=["shop"], by="test"
        )
        assert EventChannel.objects.get().sources == ["shop"]
        services.detach_channel(event_type=EVENT_TYPES["refund.applied"], channel_id=channel.pk, by="test")
        assert EventChannel.objects.count() == 0

    def test_twice_is_refused(self, channel, attach):
        attach(channel, "refund.applied")
        with pytest.raises(Conflict, match="attached to Refund applied already"):
            attach(channel, "refund.applied")
        assert EventChannel.objects.count() == 1

    @pytest.mark.parametrize("key", ["customer.created", "survey.completed"])
    def test_a_postback_only_event_type_refuses_other_kinds(self, channel, key):
        Channel.objects.update(kind="email")
        with pytest.raises(ValidationError) as refused:
            services.attach_channel(event_type=EVENT_TYPES[key], channel_id=channel.pk, sources=["shop"], by="test")
        assert list(refused.value.message_dict) == ["channel"]
        assert EventChannel.objects.count() == 0

    @pytest.mark.parametrize(("sources", "field"), [([], "sources"), (["shop", "moon"], "sources[1]")])
    def test_unusable_sources_are_refused(self, channel, sources, field):
        with pytest.raises(ValidationError) as refused:
            services.attach_channel(
                event_type=EVENT_TYPES["refund.applied"], channel_id=channel.pk, sources=sources, by="test"
            )
        assert list(refused.value.message_dict) == [field]
        assert EventChannel.objects.count() == 0

    def test_an_unknown_or_deleted_channel_is_refused(self, channel):
        services.archive_channel(channel_id=channel.pk, by="test")
        for channel_id in (channel.pk, "chn_unknown"):
            with pytest.raises(ValidationError) as refused:
                services.attach_channel(
                    event_type=EVENT_TYPES["refund.applied"], channel_id=channel_id, sources=["shop"], by="test"
                )
            assert list(refused.value.message_dict) == ["channel"]


def test_the_catalogue_lists_the_ten_in_the_contracts_order():
    assert [(t.key, t.label, t.postback_only, t.manual_retry) for t in EVENT_TYPES.values()] == [
        ("order.completed", "Order completed", False, True),
        ("contact.created", "Contact created", False, False),
        ("shipping.tracking_updated", "Shipping tracking info updated", False, False),
        ("product.conflict", "Product conflicts", False, False),
        ("transaction.declined", "Transaction declined", False, True),
        ("refund.applied", "Refund applied", False, True),
        ("subscription.canceled", "Subscription canceled", False, False),
        ("customer.created", "Customer created", True, False),
        ("transaction.approved", "Approved transaction", False, True),
        ("survey.completed", "Survey completed", True, False),
    ]
