"""An event that happens: committed with its delivery, and told to the workers as each contender does."""

import time

from django.db import transaction

from benchmarks.baseline import deliver
from channels_app.models import Channel
from notifications import doorbell
from notifications.catalogue import EVENT_TYPES
from notifications.models import Delivery, Event
from notifications.samples import sample_body

EVENT_TYPE = EVENT_TYPES["order.completed"]
_BODY = sample_body(EVENT_TYPE, event_id="evt_sample")


def happen(channel: Channel, *, usual: bool = False) -> tuple[str, float]:
    """One event for one channel. Returns its id and when it was committed, on the monotonic clock in seconds."""
    event = Event(type=EVENT_TYPE.key, source="shop")
    event.body = _BODY.replace("evt_sample", event.pk)
    delivery = Delivery(event=event, event_type=event.type, channel=channel)
    committed: list[float] = []
    with transaction.atomic():
        event.save(force_insert=True)
        delivery.save(force_insert=True)
        transaction.on_commit(lambda: committed.append(time.monotonic()))
        if usual:
            transaction.on_commit(lambda: deliver.delay(delivery.pk))
        else:
            doorbell.ring_on_commit()
    return event.pk, committed[0]
