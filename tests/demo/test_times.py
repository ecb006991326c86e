"""The demo's story has happened over two days, and what was sent of it says the same times as the rows."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import models
from django.utils import timezone

from channels_app.models import Channel
from notifications.id_times import first_id_at
from notifications.models import Delivery, Event, EventChannel, EventTypeSwitch, HistoryEntry
from orders import models as orders
from orders.models import Contact, Order, Refund, Subscription, SurveyResponse, Transaction
from orders.representations import time_text

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
COMMERCE = [getattr(orders, name) for name in orders.__all__ if isinstance(getattr(orders, name), type(models.Model))]
# Which row an object in a body stands for, and its members that are times.
TIMES: dict[str, tuple[type[models.Model], str, tuple[str, ...]]] = {
    "contact": (Contact, "id", ("created_at",)),
    "order": (Order, "number", ("created_at", "completed_at")),
    "previous_order": (Order, "number", ("created_at", "completed_at")),
    "transaction": (Transaction, "id", ("created_at",)),
    "refund": (Refund, "id", ("created_at",)),
    "subscription": (Subscription, "id", ("started_at", "canceled_at")),
    "response": (SurveyResponse, "id", ("completed_at",)),
}


def test_everything_happened_in_the_last_two_days_and_not_just_now(demo):
    now = timezone.now()
    made = [(model, field) for model in COMMERCE for field in model._meta.fields]
    made += [(model, model._meta.get_field("created_at")) for model in (Event, Delivery, Channel, EventChannel)]
    made += [(Channel, Channel._meta.get_field("paused_at"))]
    made += [(EventTypeSwitch, EventTypeSwitch._meta.get_field("changed_at"))]
    made += [(HistoryEntry, HistoryEntry._meta.get_field("at"))]
    times = {
        f"{model.__name__}.{field.name}": [
            time for time in model._default_manager.values_list(field.name, flat=True) if time is not None
        ]
        for model, field in made
        if isinstance(field, models.DateTimeField)
    }
    assert {name for name, values in times.items() if not values} == set()
    everything = [time for values in times.values() for time in values]
    assert now - timedelta(hours=48) < min(everything)
    assert max(everything) < now - timedelta(minutes=5)
    assert timedelta(hours=47) < max(times["Event.created_at"]) - min(times["Channel.created_at"])
    days = {(now - time) // timedelta(hours=12) for time in times["Event.created_at"]}
    assert days == {0, 1, 2, 3}


def test_ids_carry_the_times_of_their_rows(demo):
    for prefix, model in (("evt", Event), ("dlv", Delivery)):
        for row in model.objects.all():
            near = timedelta(minutes=1)
            assert first_id_at(prefix, row.created_at - near) < row.pk < first_id_at(prefix, row.created_at + near)
    routed = {route["delivery"] for event in Event.objects.all() for route in event.routing if route["delivery"]}
    assert routed == set(Delivery.objects.values_list("pk", flat=True))
    assert all(json.loads(event.body)["id"] == event.pk for event in Event.objects.all())


def test_what_the_bodies_say_of_times_is_what_the_rows_say(demo):
    compared = 0
    for event in Event.objects.all():
        assert event.body is not None
        body = json.loads(event.body)
        assert event.body == json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        assert body["timestamp"] == time_text(event.created_at)
        for name, told in _objects(body["data"]):
            model, key, members = TIMES[name]
            row = model._default_manager.get(**{key: told[key]})
            for member in members:
                # What had not happened by then is null for ever.
                if told[member] is not None:
                    assert told[member] == time_text(getattr(row, member)), (event, name, member)
                    assert datetime.fromisoformat(told[member]) <= event.created_at, (event, name, member)
                    compared += 1
            if told.get("tracking"):
                assert told["tracking"] == Order.objects.get(number=told["number"]).tracking
                assert datetime.fromisoformat(told["tracking"]["updated_at"]) <= event.created_at
                compared += 1
    assert compared > 100


def test_no_time_of_a_body_is_of_the_moment_of_loading(demo):
    just_now = timezone.now() - timedelta(minutes=5)
    told = [time for event in Event.objects.all() for time in _all_times(json.loads(event.body or ""))]
    assert len(told) > 200
    assert max(told) < just_now


def test_everything_is_in_a_believable_order(demo):
    for order in Order.objects.select_related("contact"):
        times = [order.contact.created_at, order.created_at, order.first_paid_at, order.completed_at]
        happened = [time for time in times if time is not None]
        assert happened == sorted(happened)
    for model, before in ((Transaction, "order"), (Refund, "transaction")):
        for row in model._default_manager.select_related(before):
            assert getattr(row, before).created_at < row.created_at
    for subscription in Subscription.objects.select_related("transaction"):
        assert subscription.transaction.created_at <= subscription.started_at
        assert subscription.canceled_at is None or subscription.started_at < subscription.canceled_at
    for delivery in Delivery.objects.select_related("event"):
        assert timedelta() <= delivery.created_at - delivery.event.created_at < timedelta(seconds=30)
    for model in (Event, Delivery, Order, Contact, Transaction):
        made = list(model._default_manager.order_by("pk").values_list("created_at", flat=True))
        assert made == sorted(made), model


def test_the_paid_order_does_not_complete_at_once_by_itself(demo, settings):
    paid = Order.objects.get(status="paid")
    assert paid.first_paid_at is not None
    waits = timedelta(seconds=settings.FUNNEL_COMPLETION_SECONDS) - (timezone.now() - paid.first_paid_at)
    assert waits > timedelta(minutes=10)


def _objects(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects with times in an event's data, with those inside them."""
    for name, value in data.items():
        if isinstance(value, dict):
            if name in TIMES:
                yield name, value
            yield from _objects(value)


def _all_times(value: Any) -> Iterator[datetime]:
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _all_times(member)
    elif isinstance(value, str) and value.endswith("Z") and value[:2] == "20":
        yield datetime.fromisoformat(value)
