"""The next step of a delivery, and why, in sentences.

`notifications.delivery` decides; this module only says what it would decide now. It reads and writes nothing else.
"""

from datetime import datetime

from django.conf import settings

from channels_app.transports import Outcome
from notifications.models import TEST_EVENT_PREFIX, TESTS_AT_ONCE, ChannelHealth, Delivery, Trigger
from notifications.services import retry_refused_because


def next_steps(delivery: Delivery, *, now: datetime) -> list[str]:
    """The next step of this delivery, then why. `now` is the database's time.

    Reads `delivery.channel` (with its health) and `delivery.event`; two queries at most.
    """
    if delivery.status == Delivery.Status.SUCCEEDED:
        return ["Nothing: the receiver has it."]
    if delivery.status == Delivery.Status.FAILED:
        return [_why_it_failed(delivery), _retry_by_hand(delivery), *_replay(delivery)]
    if delivery.in_flight:
        return _in_flight(delivery, now)
    if delivery.channel.archived_at:
        return ["The channel is deleted: the next sweep of a worker fails this delivery."]
    if delivery.shown_status == "held":
        reason = delivery.channel.pause_reason or "no reason given"
        return [f"It is held: the channel is paused ({reason}). It is due once somebody resumes the channel."]
    due = delivery.next_attempt_at
    attempt = f"Attempt {delivery.attempts_made + 1}"
    if due is not None and due > now:
        return [f"{attempt} is due at {utc(due)}, in {(due - now).total_seconds():.0f} s. {_why_it_waits(delivery)}"]
    return [f"{attempt} is due. {_why_it_waits(delivery)}", _what_keeps_it(delivery, now)]


def utc(at: datetime) -> str:
    """A time to the second: `2026-11-23 18:36:05Z`. The database's times are in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _in_flight(delivery: Delivery, now: datetime) -> list[str]:
    ends = delivery.lease_expires_at
    if ends is None or ends >= now:
        until = f" under a lease until {utc(ends)}" if ends else ""
        return [f"Attempt {delivery.attempts_made} is in flight{until}. If its worker dies, the row is due again then."]
    return [
        f"The lease of attempt {delivery.attempts_made} ran out at {utc(ends)}: its worker died or stands still. "
        "The next sweep of a worker closes the attempt as unknown."
    ]


def _why_it_waits(delivery: Delivery) -> str:
    """Why there is a further attempt."""
    if delivery.next_trigger == Trigger.AUTOMATIC:
        of = len(settings.POSTBACK_RETRY_DELAYS_SECONDS)
        return f"It is automatic retry {delivery.automatic_retries} of {of}: {delivery.error or 'no answer is kept.'}"
    return {
        Trigger.FIRST: "It is the first attempt.",
        Trigger.MANUAL: "A person retried it, so it goes before all others of its channel.",
        Trigger.RECOVERED: "The worker of the attempt before died, so it is claimed alone.",
        Trigger.TEST: "It is a test, which is sent once, outside every rate.",
        Trigger.REPLAY: "A replay of the channel took it along.",
    }[Trigger(delivery.next_trigger)]


def _what_keeps_it(delivery: Delivery, now: datetime) -> str:
    """Why a due row is not in flight yet: back-off, the channel's cap, or the workers."""
    is_test = delivery.next_trigger == Trigger.TEST
    leased = delivery.channel.deliveries.exclude(lease_token=None)
    if is_test:
        in_flight, cap = leased.filter(next_trigger=Trigger.TEST).count(), TESTS_AT_ONCE
    else:
        health = ChannelHealth.of(delivery.channel)
        failures = f"{health.failures_in_row} failures in a row"
        if health.probe_at is not None and health.probe_at > now:
            return f"The channel is in back-off after {failures}: its next probe goes at {utc(health.probe_at)}."
        in_flight, cap = leased.exclude(next_trigger=Trigger.TEST).count(), _cap(health)
        if health.failing and in_flight:
            return f"The channel is in back-off after {failures}: one probe at a time, and one is in flight."
    if in_flight >= cap:
        return f"The channel is at its cap: {in_flight} of {cap} in flight."
    return (
        "It could be sent now: a worker claims it by the doorbell, or by its sweep within "
        f"{settings.SWEEP_INTERVAL_SECONDS:g} s. If it stays here, see `manage.py check_delivery`."
    )


def _cap(health: ChannelHealth) -> int:
    if health.failing:
        return 1
    common: int = settings.CHANNEL_CONCURRENCY
    return common if health.in_flight_cap is None else min(health.in_flight_cap, common)


def _why_it_failed(delivery: Delivery) -> str:
    if delivery.channel.archived_at:
        return "No attempt follows: the channel is deleted."
    if delivery.event.erased_at:
        return "No attempt follows: the person whom it tells of was erased."
    if not delivery.attempts_made:
        return f"It failed without an attempt: {delivery.error or 'its body could not be built.'}"
    if delivery.event_id.startswith(TEST_EVENT_PREFIX):
        return "No attempt follows: a test is sent once."
    if delivery.outcome == Outcome.UNKNOWN:
        return f"No attempt follows: {delivery.unknowns_in_row} workers in a row died with it."
    if delivery.automatic_retries >= len(settings.POSTBACK_RETRY_DELAYS_SECONDS):
        return f"No attempt follows: all {delivery.automatic_retries} automatic retries are used."
    code = f" {delivery.status_code}" if delivery.status_code else ""
    return f"No attempt follows: the outcome {delivery.outcome}{code} is not retried automatically."


def _retry_by_hand(delivery: Delivery) -> str:
    if reason := retry_refused_because(delivery):
        return f"Manual retry: refused. {reason}"
    return "Manual retry: staff may press Retry, or call POST /api/v1/deliveries/{id}/retry."


def _replay(delivery: Delivery) -> list[str]:
    event = delivery.event
    goes = not (event.erased_at or event.body is None or delivery.channel.archived_at)
    if not goes or delivery.event_id.startswith(TEST_EVENT_PREFIX):
        return []
    return ["Replay: a replay of the channel since before it failed takes it along."]
