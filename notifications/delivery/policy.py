"""What is tried again, and when."""

import random
from datetime import timedelta

from django.conf import settings

from channels_app.transports import Answer, Outcome

JITTER = 0.1
LONGEST_RETRY_AFTER_SECONDS = 3600
# An alert is tried again after a minute, then after four times as long each time, daily at last, and never given up,
# unless its target refuses it for good: then so often, since somebody may be mending it at this moment.
ALERT_FIRST_PAUSE = timedelta(minutes=1)
ALERT_LONGEST_PAUSE = timedelta(days=1)
ALERT_TRIES_IF_REFUSED = 3
# What a target says, not the way to it.
REFUSALS = {Outcome.GONE, Outcome.REFUSED, Outcome.BLOCKED, Outcome.HTTP_ERROR}


def seconds_until_retry(answer: Answer, *, automatic_retries: int) -> float | None:
    """How long to wait before the next automatic retry; None: there is none.

    `automatic_retries` is how many this cycle has had. The delay grows by 0 to 10 % at random, so that what failed
    together does not return together. A receiver's `Retry-After` lengthens it, to at most an hour.
    """
    delays = settings.POSTBACK_RETRY_DELAYS_SECONDS
    if automatic_retries >= len(delays) or not worth_retrying(answer):
        return None
    delay = delays[automatic_retries] * (1 + random.uniform(0, JITTER))  # noqa: S311 (not a secret)
    return max(delay, min(answer.retry_after or 0, LONGEST_RETRY_AFTER_SECONDS))


def seconds_until_alert(answer: Answer, *, tries: int) -> float | None:
    """How long to wait before an alert that was not sent at this many attempts is tried again; None: never."""
    if is_refused_for_good(answer) and tries >= ALERT_TRIES_IF_REFUSED:
        return None
    longest: float = ALERT_LONGEST_PAUSE.total_seconds()
    pause: float = ALERT_FIRST_PAUSE.total_seconds() * 4 ** min(tries - 1, 10)
    return max(min(pause, longest), min(answer.retry_after or 0, longest))


def is_refused_for_good(answer: Answer) -> bool:
    """Whether the target will hardly take the same message another time."""
    return answer.outcome in REFUSALS and not worth_retrying(answer)


def worth_retrying(answer: Answer) -> bool:
    """Whether the receiver may take the same message another time."""
    if answer.retry is not None:
        return answer.retry
    if answer.outcome == Outcome.HTTP_ERROR:
        return answer.status_code in settings.POSTBACK_RETRY_STATUS_CODES
    return answer.outcome in {Outcome.CONNECTION_ERROR, Outcome.INTERNAL_ERROR}
