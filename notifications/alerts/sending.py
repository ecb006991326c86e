"""Sends the copies that are due, to several targets at a time, and writes down how each went.

A target that is away is asked after growing pauses, whatever waits for it; once it is back, all of that goes out.
"""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from channels_app.transports import Answer, Outcome, send
from notifications.alerts.claiming import Claimed, claim
from notifications.delivery.policy import worth_retrying
from notifications.models import AlertCopy

log = structlog.get_logger(__name__)

# To so many targets at a time, one message to each.
AT_ONCE = 8
# While a target keeps its sender waiting, what has become due for others is looked for.
LOOK_AGAIN_SECONDS = 2
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(days=1)
# What is refused for good is tried so often, since somebody may be mending it at this moment.
TRIES_IF_REFUSED = 3
LONGEST_ERROR = 1000
# What a target says, not the way to it.
REFUSALS = {Outcome.GONE, Outcome.REFUSED, Outcome.BLOCKED, Outcome.HTTP_ERROR}

_one_at_a_time = threading.Lock()


def send_due(*, stop: Callable[[], bool] = lambda: False) -> int:
    """Send the copies that are due; a target to which one cannot be sent is left alone for the rest of this run.

    Once `stop()` is true it begins with no further one. Returns how many were sent. Within a process one call runs at
    a time; between processes each copy is claimed by one.
    Raises `django.db.Error` when PostgreSQL is away: what was sent then without being recorded is sent again.
    """
    if not _one_at_a_time.acquire(blocking=False):
        return 0
    try:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="alert") as senders:
            return _send_all(senders, stop)
    finally:
        _one_at_a_time.release()


def _send_all(senders: ThreadPoolExecutor, stop: Callable[[], bool]) -> int:
    sent = 0
    # Targets that are being sent something, or could not be.
    apart: set[str | None] = set()
    in_flight: dict[Future[Answer], Claimed] = {}
    while True:
        while len(in_flight) < AT_ONCE and not stop() and (claimed := claim(but=apart)):
            apart.add(claimed.target)
            in_flight[senders.submit(_send, claimed)] = claimed
        if not in_flight:
            return sent
        done, _ = wait(in_flight, timeout=LOOK_AGAIN_SECONDS, return_when=FIRST_COMPLETED)
        # PostgreSQL may have been restarted meanwhile.
        connection.close_if_unusable_or_obsolete()
        for future in done:
            claimed = in_flight.pop(future)
            if _record(claimed, future.result()):
                sent += 1
                apart.discard(claimed.target)


def _send(claimed: Claimed) -> Answer:
    """Send a copy, in a thread without a database connection. Never raises."""
    destination, message = claimed.destination, claimed.message
    if destination is None:
        return Answer(Outcome.INTERNAL_ERROR, error=claimed.problem)
    try:
        return send(destination, message, now=claimed.now, timeout=settings.POSTBACK_TIMEOUT_SECONDS)
    except Exception as error:
        log.exception("alert_broke", alert_id=claimed.alert_id, copy_id=claimed.copy_id)
        return Answer(Outcome.INTERNAL_ERROR, error=destination.redactor.of_text(f"{type(error).__name__}: {error}"))


def _record(claimed: Claimed, answer: Answer) -> bool:
    """Write down how it went, unless another process has taken the copy up since. Whether it was sent."""
    mine = AlertCopy.objects.filter(pk=claimed.copy_id, tries=claimed.tries, next_try_at__isnull=False)
    reached = [*claimed.message.reached, *answer.reached]
    refused = _is_refused_for_good(answer)
    # Those whom it has not reached never take it; the others were told.
    succeeded = answer.outcome == Outcome.SUCCEEDED or (refused and bool(reached))
    how: dict[str, Any] = {"claimed_at": None, "error": answer.error[:LONGEST_ERROR], "reached": reached}
    if succeeded:
        how |= {"next_try_at": None, "sent_at": Now()}
    elif refused and claimed.tries >= TRIES_IF_REFUSED:
        how |= {"next_try_at": None, "given_up_at": Now()}
    else:
        how["next_try_at"] = Now() + _pause(claimed.tries, answer)
    if mine.update(**how):
        if succeeded:
            _let_others_go(claimed.target)
        elif not refused:
            _keep_others(claimed.target, until=how["next_try_at"])
    say = log.info if succeeded else log.warning
    say(
        "alert_sent" if succeeded else "alert_not_sent",
        alert_id=claimed.alert_id,
        kind=claimed.kind,
        target=claimed.target or "administrators",
        outcome=str(answer.outcome),
        error=answer.error,
        tries=claimed.tries,
    )
    return succeeded


def _let_others_go(target: str | None) -> None:
    """What could not be sent to this target before can be now."""
    with transaction.atomic():
        _waiting(target, tries__gt=0, next_try_at__gt=Now()).update(next_try_at=Now())


def _keep_others(target: str | None, *, until: Combinable) -> None:
    """One at a time finds out whether this target is back."""
    with transaction.atomic():
        _waiting(target, next_try_at__lt=until).update(next_try_at=until)


def _waiting(target: str | None, **which: Any) -> QuerySet[AlertCopy]:
    """What waits for this target and nobody is sending or judging at this moment. Call it in a transaction."""
    waiting = AlertCopy.objects.filter(channel_id=target, claimed_at=None, next_try_at__isnull=False, **which)
    keys = waiting.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True)
    return AlertCopy.objects.filter(pk__in=list(keys))


def _pause(tries: int, answer: Answer) -> timedelta:
    """Until the next try: four times as long after each, and at least as long as the target asks for."""
    asked = timedelta(seconds=min(answer.retry_after or 0, LONGEST_PAUSE.total_seconds()))
    pause: timedelta = FIRST_PAUSE * 4 ** min(tries - 1, 10)
    return max(min(pause, LONGEST_PAUSE), asked)


def _is_refused_for_good(answer: Answer) -> bool:
    """Whether the target will hardly take the same message another time."""
    return answer.outcome in REFUSALS and not worth_retrying(answer)
