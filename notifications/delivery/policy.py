"""What is tried again, and when."""

import random

from django.conf import settings

from channels_app.transports import Answer, Outcome

JITTER = 0.1
LONGEST_RETRY_AFTER_SECONDS = 3600


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


def worth_retrying(answer: Answer) -> bool:
    """Whether the receiver may take the same message another time."""
    if answer.retry is not None:
        return answer.retry
    if answer.outcome == Outcome.HTTP_ERROR:
        return answer.status_code in settings.POSTBACK_RETRY_STATUS_CODES
    return answer.outcome in {Outcome.CONNECTION_ERROR, Outcome.INTERNAL_ERROR}
