"""An event that happens: committed with its delivery, and told to the workers as each contender does."""

import time

from django.db import transaction

from benchmarks.baseline import deliver
from benchmarks.installation import new_event
from channels_app.models import Channel
from notifications import doorbell
from notifications.models import Delivery


def happen(channel: Channel, *, usual: bool = False) -> tuple[str, float]:
    """One event for one channel. Returns its id and when it was committed, on the monotonic clock in seconds."""
    event = new_event()
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
