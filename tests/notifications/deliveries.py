"""What the tests of the engine have in common."""

import json
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from channels_app.models import Channel
from notifications.delivery.claim import claim
from notifications.models import Delivery, Event


def make_delivery(channel: Channel, *, event_type: str = "order.completed", **fields: Any) -> Delivery:
    """A due delivery of an event with a small body."""
    event = Event.objects.create(type=event_type, source="shop", body=json.dumps({"type": event_type}))
    return Delivery.objects.create(event=event, event_type=event_type, channel=channel, **fields)


def make_due() -> None:
    """Let the time pass until every pending delivery is due."""
    Delivery.objects.filter(status="pending").update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def let_leases_run_out() -> None:
    Delivery.objects.exclude(lease_token=None).update(lease_expires_at=F("lease_expires_at") - timedelta(hours=1))


def story(delivery: Delivery) -> list[tuple[int, str, str, int | None]]:
    """(number, trigger, outcome, status code) of each attempt."""
    return list(delivery.attempts.order_by("number").values_list("number", "trigger", "outcome", "status_code"))


def claim_all(slots: int = 64) -> list[str]:
    """Claim all that may be sent now, to so many slots. Returns the ids of the deliveries."""
    return [each.delivery_id for each in claim(slots=slots, slowed_slots=slots)]
