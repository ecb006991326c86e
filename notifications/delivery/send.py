"""One attempt, in a thread, without a database connection."""

import time
from dataclasses import dataclass

import structlog
from django.conf import settings

from channels_app.encryption import SecretUnreadable
from channels_app.transports import Answer, Message, Notice, Outcome
from channels_app.transports import send as send_once
from notifications.alert_targets import NOBODY
from notifications.alerts.wording import notice_of_alert
from notifications.delivery import attempt_span
from notifications.delivery.claim import Claim
from notifications.notices import notice_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Result:
    """What came of a claim. `answer` is None where nothing was sent because the lease was running out.

    `ended` is when the attempt ended, on the monotonic clock; 0: it was not sent.
    """

    claim: Claim
    answer: Answer | None
    duration_ms: int
    ended: float = 0.0


def send(claim: Claim) -> Result:
    """Send one claimed delivery, unless its lease ends before an answer could be awaited.

    A worker that was frozen past its lease must not send what another has sent since. Never raises.
    """
    timeout = settings.POSTBACK_TIMEOUT_SECONDS
    started = time.monotonic()
    if started + timeout > claim.lease_ends:
        log.warning("lease_ran_out", delivery_id=claim.delivery_id, event_id=claim.event_id)
        return Result(claim, None, 0)
    span = attempt_span.begin(claim)
    answer = _answer(claim, timeout, span.headers if span and settings.POSTBACK_TRACEPARENT else {})
    ended = time.monotonic()
    attempt_span.end(span, answer)
    duration_ms = round((ended - started) * 1000)
    log.info(
        "attempt",
        delivery_id=claim.delivery_id,
        event_id=claim.event_id,
        event_type=claim.event_type,
        channel_id=claim.channel.pk,
        number=claim.number,
        trigger=claim.trigger,
        outcome=str(answer.outcome),
        status_code=answer.status_code,
        duration_ms=duration_ms,
        **({"request_id": claim.request_id} if claim.request_id else {}),
        **({"trace_id": span.trace_id} if span else {}),
    )
    return Result(claim, answer, duration_ms, ended)


def _answer(claim: Claim, timeout: float, trace_headers: dict[str, str]) -> Answer:
    if claim.channel.system and not claim.channel.recipients:
        return Answer(Outcome.INTERNAL_ERROR, error=NOBODY)
    try:
        destination = claim.channel.destination(now=claim.now())
        message = Message(
            id=claim.event_id,
            body=claim.body.encode(),
            delivery_id=claim.delivery_id,
            notice=lambda: _notice(claim),
            reached=claim.reached,
            trace_headers=trace_headers,
        )
        return send_once(destination, message, now=claim.now(), timeout=timeout)
    except SecretUnreadable as error:
        return Answer(Outcome.INTERNAL_ERROR, url=claim.channel.url, error=str(error))
    except Exception as error:
        log.exception("attempt_broke", delivery_id=claim.delivery_id, channel_id=claim.channel.pk)
        return Answer(
            Outcome.INTERNAL_ERROR, url=claim.channel.url, error=f"A fault of Tidings: {type(error).__name__}."
        )


def _notice(claim: Claim) -> Notice:
    if claim.words is not None:
        return notice_of_alert(claim.words, administrators=claim.channel.system)
    return notice_of(claim.body, order_id=claim.order_id, contact_id=claim.contact_id)
