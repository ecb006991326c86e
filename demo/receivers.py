"""The demo's receivers of postbacks: each checks a request, keeps it and answers; and the page that lists these.

Mounted in demo mode only.
"""

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.decorators import permission_required
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from channels_app.encryption import SecretUnreadable
from channels_app.models import Channel
from channels_app.transports import Destination
from channels_app.transports.postback.signature import sign
from channels_app.transports.rules import MASK
from demo.models import ReceivedPostback, ReceiverState, forget_oldest, storable
from demo.pages import MAX_BODY_BYTES, list_context, on_purpose, staff_only, whole_body

# What the receivers of these names answer; one of any other name takes what comes and answers 200.
FAILING, BUSY, MOVED, GONE = "failing", "busy", "moved", "gone"
REFUSALS = {
    FAILING: HTTPStatus.SERVICE_UNAVAILABLE,  # until it is repaired
    BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    MOVED: HTTPStatus.NOT_FOUND,
    GONE: HTTPStatus.GONE,
}
# What the busy one asks for, with `Retry-After`; the longest that Tidings heeds.
BUSY_SECONDS = 3600
KEPT = 1000
# The page shows what arrived; whose session the sender had is nothing to show.
_NOT_KEPT = frozenset({"cookie"})
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
TOLERANCE_SECONDS = 5 * 60
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
# Who looks after channels, looks after their receivers.
MAY_REPAIR = "channels_app.change_channel"


@csrf_exempt
@require_POST
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Take a postback from any client: 200, the status of a receiver that refuses, 413 above 256 KiB."""
    body = whole_body(request)
    if body is None:
        return JsonResponse({"detail": f"This receiver takes at most {MAX_BODY_BYTES} bytes."}, status=413)
    status = take_postback(receiver=name, headers=request.headers, body=body)
    detail = "Received." if status == 200 else f"The receiver {name} answers so on purpose."
    wait = {"Retry-After": str(BUSY_SECONDS)} if name == BUSY else {}
    return on_purpose(JsonResponse({"detail": detail}, status=status, headers=wait))


@staff_only
@never_cache
@require_safe
def received(request: HttpRequest) -> HttpResponse:
    """The postbacks that arrived, newest first."""
    context = {
        **list_context(request, ReceivedPostback.objects.all(), kept=KEPT),
        "failing_works": works(FAILING),
        "may_repair": request.user.has_perm(MAY_REPAIR),
    }
    return render(request, "demo/received.html", context)


@staff_only
@permission_required(MAY_REPAIR, raise_exception=True)
@require_POST
def repair(request: HttpRequest) -> HttpResponse:
    """Repair the failing receiver (`works=yes`) or break it again (`works=no`)."""
    works = request.POST.get("works")
    if works not in {"yes", "no"}:
        return HttpResponse("Say works=yes or works=no.", status=400, content_type="text/plain")
    set_works(works=works == "yes")
    return redirect("demo:received")


def take_postback(*, receiver: str, headers: Mapping[str, str], body: bytes) -> int:
    """Record a request and return the status code to answer it with."""
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
    """The destinations of the channels that point at this receiver, for their secrets and the headers to mask."""
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


@dataclass(frozen=True)
class Verdict:
    """`holds` is None where it cannot be checked; `reason` is a sentence for people."""

    holds: bool | None
    reason: str


def check_signature(*, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Whether the sender knows one of `secrets` (`whsec_...`) and signed this very body within five minutes of `now`.

    `headers` have lower-case names; `now` is in unix seconds.
    """
    if not secrets:
        return Verdict(None, "No channel points at this receiver, so there is no secret to check the signature with.")
    for name in HEADERS:
        if not headers.get(name):
            return Verdict(False, f"The header {name} is missing.")
    message_id, timestamp, signatures = (headers[name] for name in HEADERS)
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return Verdict(False, "The header webhook-timestamp is not a time in unix seconds.")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return Verdict(False, "Its timestamp is more than five minutes off: somebody may be sending it a second time.")
    expected = [sign(secret, message_id, int(timestamp), body).encode() for secret in secrets]
    given = [signature.encode() for signature in signatures.split(" ")]
    if any(hmac.compare_digest(one, other) for one in expected for other in given):
        return Verdict(True, "It was signed with the channel's secret, less than five minutes before it arrived.")
    return Verdict(False, "No signature matches: it was signed with another secret, or the body was changed.")
