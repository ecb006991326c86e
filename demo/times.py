"""Lets the demo's story have happened over the last two days, though all of it is recorded at once."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import F
from django.utils import timezone
from typeid.codecs import base32

from channels_app.models import Channel
from notifications.models import Delivery, Event, EventChannel, EventTypeSwitch, HistoryEntry
from orders.models import Order
from orders.representations import time_text

# What has just been recorded is newer than this, what has been moved back is older; leaves room for the clocks of
# the database and of this program to differ.
_JUST_NOW = timedelta(minutes=1)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


@contextmanager
def ago(**age: float) -> Iterator[None]:
    """Date what is recorded inside back by an age: `with ago(hours=3, minutes=20): ...`, at least two minutes.

    In a transaction only, so that nothing has been sent yet. Every time in the rows and in the bodies of the events
    moves by the same step, so that a body never contradicts its rows; so do the ids of events and deliveries, which
    carry the time too. What an earlier block has moved stays, and so does the moment when a delivery is due: now.
    Lists are ordered by ids, so tell what happened first first.
    """
    since = timezone.now() - _JUST_NOW
    yield
    step = timedelta(**age)
    for model, name in _times():
        model._default_manager.filter(**{f"{name}__gte": since}).update(**{name: F(name) - step})
    for order in Order.objects.exclude(tracking=None):
        order.tracking = _moved(order.tracking, since, step)
        order.save(update_fields=["tracking"])
    for event in Event.objects.filter(created_at__gte=since):
        _move_event(event, since, step)


def _move_event(event: Event, since: datetime, step: timedelta) -> None:
    """Date an event and its deliveries back. Foreign keys are checked at the end of the transaction."""
    recorded, moved = Event.objects.filter(pk=event.pk), _earlier(event.pk, step)
    body = None
    if event.body is not None:
        moved_event = {**_moved(json.loads(event.body), since, step), "id": moved}
        body = json.dumps(moved_event, ensure_ascii=False, separators=(",", ":"))
    for route in event.routing:
        if route["delivery"]:
            delivery = Delivery.objects.filter(pk=route["delivery"])
            route["delivery"] = _earlier(route["delivery"], step)
            delivery.update(id=route["delivery"], event_id=moved)
    recorded.update(id=moved, created_at=event.created_at - step, body=body, routing=event.routing)


def _earlier(typeid: str, step: timedelta) -> str:
    """The id that would have been made that much earlier: its first 48 bits are milliseconds."""
    prefix, _, suffix = typeid.rpartition("_")
    made = base32.decode(suffix)
    milliseconds = int.from_bytes(made[:6]) - step // timedelta(milliseconds=1)
    return f"{prefix}_{base32.encode(milliseconds.to_bytes(6) + made[6:])}"


def _times() -> Iterator[tuple[type[models.Model], str]]:
    """The columns to move: all times of commerce, and those at which channels and deliveries were made."""
    for model in apps.get_app_config("orders").get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.DateTimeField):
                yield model, field.name
    yield Channel, "created_at"
    yield Channel, "paused_at"
    yield EventChannel, "created_at"
    yield EventTypeSwitch, "changed_at"
    yield HistoryEntry, "at"
    yield Delivery, "created_at"


def _moved(value: Any, since: datetime, step: timedelta) -> Any:
    if isinstance(value, dict):
        return {name: _moved(member, since, step) for name, member in value.items()}
    if isinstance(value, list):
        return [_moved(member, since, step) for member in value]
    if isinstance(value, str) and _TIME.fullmatch(value) and (moment := datetime.fromisoformat(value)) >= since:
        return time_text(moment - step)
    return value
