"""The demo's receivers: they check what arrives, keep the newest of it and answer. `failing` can be repaired."""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from channels_app.encryption import SecretUnreadable
from channels_app.models import Channel
from channels_app.transports import Destination
from channels_app.transports.rules import MASK
from demo.answers import FAILING, REFUSALS
from demo.keeping import forget_oldest, storable
from demo.models import ReceivedPostback, ReceiverState
from demo.signatures import check_signature

KEPT = 1000
# The page shows what arrived; whose session the sender had is nothing to show.
_NOT_KEPT = frozenset({"cookie"})


def take_postback(*, receiver: str, headers: Mapping[str, str], body: bytes) -> int:
    """Record what arrived and return the status code to answer it with."""
    lowered = {name.lower(): value for name, value in headers.items()}
    senders = _destinations(receiver)
    secrets = [secret for sender in senders for secret in sender.secrets]
    verdict = check_signature(secrets=secrets, headers=lowered, body=body, now=time.time())
    masked = {name.lower() for sender in senders for name in sender.headers}
    event_type, source = _named_in(body)
    answered = 200 if works(receiver) else int(REFUSALS[receiver])
    _save(
        receiver,
        storable(lowered.get("webhook-id", ""), 200),
        {
            "event_type": storable(event_type, 100),
            "source": storable(source, 20),
            "headers": {
                storable(name): MASK if name in masked else storable(value)
                for name, value in lowered.items()
                if name not in _NOT_KEPT
            },
            "body": storable(body.decode(errors="replace")),
            "signature_holds": verdict.holds,
            "signature_reason": verdict.reason,
            "answered": answered,
            "received_at": timezone.now(),
        },
    )
    return answered


def works(receiver: str) -> bool:
    """Whether it answers 200; of those that refuse, only the failing one may have been repaired."""
    if receiver == FAILING:
        return ReceiverState.objects.filter(receiver=FAILING, works=True).exists()
    return receiver not in REFUSALS


def set_works(*, works: bool) -> None:
    """Repair or break the failing receiver."""
    ReceiverState.objects.update_or_create(receiver=FAILING, defaults={"works": works})


def _save(receiver: str, webhook_id: str, values: dict[str, Any]) -> None:
    seen = ReceivedPostback.objects.filter(receiver=receiver, webhook_id=webhook_id).exclude(webhook_id="")
    again = {**values, "times_received": F("times_received") + 1}
    if seen.update(**again):
        return
    try:
        with transaction.atomic():
            ReceivedPostback.objects.create(receiver=receiver, webhook_id=webhook_id, **values)
    except IntegrityError:
        seen.update(**again)  # the same id arrived at the same moment
    forget_oldest(ReceivedPostback, kept=KEPT)


def _destinations(receiver: str) -> list[Destination]:
    """Of the channels that point at this receiver: their secrets, and the headers whose values nobody is shown."""
    path = reverse("demo:receive", args=[receiver])
    destinations: list[Destination] = []
    for channel in Channel.objects.filter(archived_at=None, url__contains=path):
        if urlsplit(channel.url).path == path:
            try:
                destinations.append(channel.destination())
            except SecretUnreadable:
                continue  # the channel cannot send either; what arrives was not signed by it
    return destinations


def _named_in(body: bytes) -> tuple[str, str]:
    """The event's type and source, "" where the body names none."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    named = [event.get(name) for name in ("type", "source")] if isinstance(event, dict) else [None, None]
    event_type, source = (value if isinstance(value, str) else "" for value in named)
    return event_type, source
