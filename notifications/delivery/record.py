"""Writes down what came of attempts, many in one statement, fenced by the lease token."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import structlog
from django.db import DataError, OperationalError, connection, transaction

from channels_app.models import Channel
from channels_app.services import lock_channel
from channels_app.transports import Answer, Outcome
from notifications import history
from notifications.alerts import turn
from notifications.delivery import health, policy
from notifications.delivery.claim import Claim
from notifications.delivery.maintenance import CHANNEL_DELETED, NOT_SENT
from notifications.delivery.send import Result
from notifications.metrics import instruments
from notifications.metrics.instruments import ALERT, Attempted
from notifications.models import Delivery, DeliveryAttempt, Trigger
from notifications.pausing import pause_channel
from notifications.tally import Counted, Tally, count
from orders.locks import waited_too_long

log = structlog.get_logger(__name__)


LONGEST_REASON = 500
CHANNEL_AWAITED_AT_MOST = "2s"

# Only rows that still carry our lease token are written: what another worker has taken over since is its own.
RECORD = """
WITH result AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(results)s::jsonb) AS result(
        delivery_id text, lease_token uuid, attempt_id text, outcome text, url text, status_code int,
        request_headers jsonb, response_headers jsonb, response_body text, error text, duration_ms int,
        connection jsonb, reached text[], succeeded boolean, wait_seconds double precision)
),
judged AS MATERIALIZED (
    SELECT result.*, CASE
            WHEN result.succeeded THEN 'succeeded'
            WHEN result.wait_seconds IS NULL OR channel.archived_at IS NOT NULL THEN 'failed'
            ELSE 'pending'
        END AS next_status,
        channel.archived_at IS NOT NULL AND result.wait_seconds IS NOT NULL AS abandoned,
        coalesce(health.failures_in_row > 0 OR health.in_flight_cap IS NOT NULL, false) AS troubled
    FROM result
    JOIN notifications_delivery delivery ON delivery.id = result.delivery_id
    JOIN channels_app_channel channel ON channel.id = delivery.channel_id
    LEFT JOIN notifications_channelhealth health ON health.channel_id = delivery.channel_id
    ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
),
settled AS (
    UPDATE notifications_delivery delivery
    SET status = judged.next_status,
        outcome = judged.outcome,
        status_code = judged.status_code,
        error = CASE WHEN judged.abandoned THEN concat_ws(' ', nullif(judged.error, ''), %(deleted)s)
            ELSE judged.error END,
        next_attempt_at = CASE WHEN judged.next_status = 'pending'
            THEN statement_timestamp() + make_interval(secs => judged.wait_seconds) END,
        next_trigger = CASE WHEN judged.next_status = 'pending' THEN 'automatic' ELSE delivery.next_trigger END,
        automatic_retries = delivery.automatic_retries + (judged.next_status = 'pending')::int,
        unknowns_in_row = 0,
        replayed = delivery.replayed AND judged.next_status = 'pending',
        reached = delivery.reached || judged.reached,
        finished_at = CASE WHEN judged.next_status <> 'pending' THEN statement_timestamp() END,
        lease_token = NULL, lease_expires_at = NULL
    FROM judged
    WHERE delivery.id = judged.delivery_id AND delivery.lease_token = judged.lease_token
    RETURNING judged.attempt_id, delivery.status, judged.troubled
)
UPDATE notifications_deliveryattempt attempt
SET outcome = result.outcome, url = result.url, status_code = result.status_code,
    request_headers = result.request_headers, response_headers = result.response_headers,
    response_body = result.response_body, error = result.error, duration_ms = result.duration_ms,
    connection = result.connection
FROM result JOIN settled ON settled.attempt_id = result.attempt_id
WHERE attempt.id = result.attempt_id
RETURNING attempt.id, settled.status, settled.troubled
"""


def record(results: Sequence[Result], tally: Tally | None = None) -> int:
    """Record what was sent. Returns how many leases still were ours; raises `DatabaseError` when PostgreSQL is away.

    What it came to is counted for the statistics at once, or in `tally`, which the caller writes.
    A channel whose receiver answered 410 is paused before: should we die in between, it is asked again at most.
    """
    sent = [(result, result.answer) for result in results if result.answer is not None]
    if unsent := [result.claim.attempt_id for result in results if result.answer is None]:
        _note_unsent(unsent)
    for result, answer in sent:
        if answer.outcome == Outcome.GONE and not result.claim.is_alert:
            _pause_gone(result.claim, answer.error)
    if not sent:
        return 0
    try:
        return _record(sent, tally)
    except DataError:
        # One answer that PostgreSQL cannot hold must not keep the others from being recorded.
        log.exception("answers_not_storable", deliveries=[result.claim.delivery_id for result, _ in sent])
        return sum(_record_alone(result, answer, tally) for result, answer in sent)


def _note_unsent(attempt_ids: Sequence[str]) -> None:
    """Of attempts whose lease ran out before they were sent, say so: else nobody could know whether they arrived."""
    unsure = DeliveryAttempt.objects.filter(pk__in=attempt_ids, outcome__in=[Outcome.STARTED, Outcome.UNKNOWN])
    unsure.update(error=NOT_SENT)


def _record(sent: Sequence[tuple[Result, Answer]], tally: Tally | None) -> int:
    began = time.monotonic()
    rows = [_row(result, answer) for result, answer in sent]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(RECORD, {"results": json.dumps(rows), "deleted": CHANNEL_DELETED})
            # By attempt; those whose lease was lost are missing.
            after = {attempt_id: (status, troubled) for attempt_id, status, troubled in cursor.fetchall()}
        for row, (result, answer) in zip(rows, sent, strict=True):
            if result.claim.is_alert and result.claim.attempt_id in after:
                away = not (row["succeeded"] or policy.is_refused_for_good(answer))
                turn.settle(
                    result.claim.event_id,
                    channel_id=result.claim.channel.pk,
                    succeeded=row["succeeded"],
                    wait_seconds=row["wait_seconds"] if away else None,
                )
        # What a worker that lost its lease says is of long ago.
        real = [
            (result, answer)
            for result, answer in sent
            if result.claim.attempt_id in after and not (result.claim.is_alert or result.claim.trigger == Trigger.TEST)
        ]
        health.learn(
            health.Experience(
                channel=result.claim.channel,
                outcome=answer.outcome,
                error=answer.error,
                troubled=result.claim.troubled or after[result.claim.attempt_id][1],
                sent_at=result.claim.claimed_at,
            )
            for result, answer in _of_the_channel(real)
        )
        counted = [
            Counted(
                result.claim.channel.pk,
                after[result.claim.attempt_id][0],
                result.duration_ms if _has_answered(result, answer) else None,
            )
            for result, answer in real
        ]
        if tally is None:
            count(counted)
    if tally is not None:
        tally.add(counted)
    instruments.recorded(seconds=time.monotonic() - began)
    instruments.attempts_recorded(
        _attempted(result, answer, status=after[result.claim.attempt_id][0])
        for result, answer in sent
        if result.claim.attempt_id in after
    )
    if len(after) < len(sent):
        log.warning("leases_lost", lost=len(sent) - len(after))
    return len(after)


def _attempted(result: Result, answer: Answer, *, status: str) -> Attempted:
    claim = result.claim
    arrived = answer.outcome == Outcome.SUCCEEDED and claim.trigger == Trigger.FIRST and not claim.is_alert
    on_its_way = claim.waited + result.ended - claim.read_at_monotonic
    return Attempted(
        kind=claim.channel.kind,
        outcome=answer.outcome,
        trigger=ALERT if claim.is_alert else claim.trigger,
        status=status,
        seconds=result.duration_ms / 1000,
        arrived_after=max(0.0, on_its_way) if arrived and result.ended else None,
    )


def _of_the_channel(results: Iterable[tuple[Result, Answer]]) -> Iterator[tuple[Result, Answer]]:
    """What speaks for or against a channel.

    That one of several recipients is refused says that the others go; where the others had it before, or nobody is
    left to be sent it, nothing.
    """
    for result, answer in results:
        if answer.reached:
            yield result, replace(answer, outcome=Outcome.SUCCEEDED, error="")
        elif not (result.claim.reached and answer.outcome in {Outcome.REFUSED, Outcome.SUCCEEDED}):
            yield result, answer


def _has_answered(result: Result, answer: Answer) -> bool:
    """Not every kind has a status. Where some have had the message before, a success may be that nothing was sent."""
    return answer.status_code is not None or (answer.outcome == Outcome.SUCCEEDED and not result.claim.reached)


def _record_alone(result: Result, answer: Answer, tally: Tally | None) -> int:
    try:
        return _record([(result, answer)], tally)
    except DataError:
        unstorable = Answer(
            Outcome.INTERNAL_ERROR,
            url=result.claim.channel.url,
            status_code=answer.status_code,
            error=f"The answer could not be stored; the attempt ended as {answer.outcome.label.lower()}.",
            retry=False if answer.outcome == Outcome.SUCCEEDED else answer.retry,
            reached=answer.reached,
        )
        return _record([(result, unstorable)], tally)


def _row(result: Result, answer: Answer) -> dict[str, Any]:
    claim = result.claim
    succeeded, wait_seconds = _verdict(claim, answer)
    return {
        "delivery_id": claim.delivery_id,
        "lease_token": str(claim.lease_token),
        "attempt_id": claim.attempt_id,
        "outcome": answer.outcome,
        "url": answer.url,
        "status_code": answer.status_code,
        "request_headers": answer.request_headers,
        "response_headers": answer.response_headers,
        "response_body": answer.response_body,
        "error": answer.error,
        "duration_ms": result.duration_ms,
        "connection": vars(answer.connection),
        "reached": answer.reached,
        "succeeded": succeeded,
        "wait_seconds": wait_seconds,
    }


def _verdict(claim: Claim, answer: Answer) -> tuple[bool, float | None]:
    """Whether it is delivered, and in how many seconds it is tried again; None: it is not."""
    if claim.is_alert:
        # Recipients that are refused for good never take it; the others were told.
        reached = bool(claim.reached or answer.reached)
        if answer.outcome == Outcome.SUCCEEDED or (reached and policy.is_refused_for_good(answer)):
            return True, None
        return False, policy.seconds_until_alert(answer, tries=claim.number)
    if answer.outcome == Outcome.SUCCEEDED or claim.trigger == Trigger.TEST:
        return answer.outcome == Outcome.SUCCEEDED, None
    return False, policy.seconds_until_retry(answer, automatic_retries=claim.automatic_retries)


def _is_ours(claim: Claim) -> bool:
    """Whether the lease still is: what a worker that lost it was answered is of long ago."""
    return Delivery.objects.filter(pk=claim.delivery_id, lease_token=claim.lease_token).exists()


def _pause_gone(claim: Claim, reason: str) -> None:
    """Pause a channel whose receiver wants no more, unless that was said at an address that it no longer has.

    Where somebody keeps the channel locked, the next such answer pauses it: what others are sent does not wait.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [CHANNEL_AWAITED_AT_MOST])
            channel = lock_channel(claim.channel.pk)
            if _is_ours(claim) and health.is_addressed_alike(claim.channel, channel):
                pause_channel(channel_id=channel.pk, reason=reason[:LONGEST_REASON], by=history.TIDINGS)
    except Channel.DoesNotExist:
        return  # Deleted meanwhile: nothing is left to pause.
    except OperationalError as error:
        if not waited_too_long(error):
            raise
        log.warning("channel_not_paused", channel_id=claim.channel.pk)
