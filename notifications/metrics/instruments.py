"""What is counted in this process. Nothing here raises, waits or asks a database: to count is never why a thing fails.

A room above that counts something of its own makes its instruments with `counter` and `histogram`, and guards the
function that counts with `harmless`.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import NamedTuple, ParamSpec

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

log = structlog.get_logger(__name__)

P = ParamSpec("P")

REGISTRY = CollectorRegistry(auto_describe=True)
# The labels of each instrument and the finite bounds of its buckets. What another version has added up with others is
# not read.
SHAPES: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {}
COMPLAINS_EVERY_SECONDS = 60
# The `trigger` of an attempt that tells of an alert.
ALERT = "alert"

_ATTEMPT_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ARRIVAL_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_STATEMENT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


_counted = 0


def counts() -> int:
    """A number that is another one once something was counted."""
    return _counted


def counter(name: str, text: str, *labels: str) -> Counter:
    """A counter; its samples are called `name` with `_total` behind it."""
    SHAPES[name] = tuple(sorted(labels)), ()
    return Counter(name, text, labels, registry=REGISTRY)


def histogram(name: str, text: str, *labels: str, bounds: Sequence[float]) -> Histogram:
    """A histogram with these upper bounds and one without a bound."""
    upper = tuple(float(bound) for bound in bounds)
    SHAPES[name] = tuple(sorted(labels)), upper
    return Histogram(name, text, labels, buckets=upper, registry=REGISTRY)


def harmless(count: Callable[P, None]) -> Callable[P, None]:
    """`count`, whose errors are logged, once a minute at most, and not raised."""
    complained_at = float("-inf")

    @wraps(count)
    def counted(*args: P.args, **kwargs: P.kwargs) -> None:
        global _counted
        nonlocal complained_at
        try:
            count(*args, **kwargs)
            _counted += 1  # two threads may make one step of it: that it has moved is all that is asked
        except Exception:
            now = time.monotonic()
            if now - complained_at >= COMPLAINS_EVERY_SECONDS:
                complained_at = now
                log.exception("not_counted", what=count.__name__)

    return counted


ATTEMPTS = counter(
    "tidings_attempts",
    "Attempts that were recorded; trigger: first, automatic, manual, recovered, replay, test or alert.",
    *("kind", "outcome", "trigger"),
)
ATTEMPT_SECONDS = histogram(
    "tidings_attempt_duration_seconds", "How long attempts took.", "kind", bounds=_ATTEMPT_BOUNDS
)
ARRIVAL_SECONDS = histogram(
    "tidings_arrival_seconds",
    "From the recording of a delivery until its receiver had taken it, of those that were taken at the first attempt.",
    "kind",
    bounds=_ARRIVAL_BOUNDS,
)
RETRIES = counter(
    "tidings_retries", "Automatic retries that were scheduled since an attempt ended so.", "kind", "outcome"
)
FINISHED = counter("tidings_deliveries_finished", "Deliveries that an attempt has ended.", "kind", "status")
CLAIM_ROWS = histogram("tidings_claim_rows", "Deliveries that one claim took.", bounds=(0, 1, 2, 4, 8, 16, 32, 64, 100))
CLAIM_SECONDS = histogram("tidings_claim_duration_seconds", "How long one claim took.", bounds=_STATEMENT_BOUNDS)
CLAIM_LOCK_SECONDS = histogram(
    "tidings_claim_lock_wait_seconds", "How long one claim waited for its lock.", bounds=_STATEMENT_BOUNDS
)
CLAIM_LOCK_TIMEOUTS = counter("tidings_claim_lock_timeouts", "Claims that gave up since others held the lock.")
RECORD_SECONDS = histogram(
    "tidings_record_duration_seconds", "How long it took to record attempts, many at once.", bounds=_STATEMENT_BOUNDS
)
EVENTS = counter("tidings_events", "Events that were recorded.", "event_type", "source")
DELIVERIES = counter("tidings_deliveries_recorded", "Deliveries that were recorded with events.", "event_type")
ALERTS = counter("tidings_alerts", "Alerts that were written.", "kind")
PURGE_SECONDS = histogram(
    "tidings_purge_duration_seconds", "How long a purge took.", bounds=(0.1, 1, 10, 60, 300, 900, 1800, 3600)
)


class Attempted(NamedTuple):
    """An attempt that was recorded. `status` is what its delivery is now.

    `arrived_after` is for how many seconds a delivery of an event was on its way that was taken at the first attempt.
    """

    kind: str
    outcome: str
    trigger: str
    status: str
    seconds: float | None = None
    arrived_after: float | None = None


@harmless
def attempts_recorded(attempts: Iterable[Attempted]) -> None:
    """Count attempts that were recorded together; call it after the commit."""
    alike: dict[tuple[str, str, str, str], int] = defaultdict(int)
    took: dict[str, list[float]] = defaultdict(list)
    arrived: dict[str, list[float]] = defaultdict(list)
    for kind, outcome, trigger, status, seconds, arrived_after in attempts:
        alike[kind, outcome, trigger, status] += 1
        if seconds is not None:
            took[kind].append(seconds)
        if arrived_after is not None:
            arrived[kind].append(arrived_after)
    for (kind, outcome, trigger, status), number in alike.items():
        ATTEMPTS.labels(kind, outcome, trigger).inc(number)
        if trigger in {ALERT, "test"}:
            continue
        if status != "pending":
            FINISHED.labels(kind, status).inc(number)
        elif outcome != "unknown":
            RETRIES.labels(kind, outcome).inc(number)
    for family, times in ((ATTEMPT_SECONDS, took), (ARRIVAL_SECONDS, arrived)):
        for kind, each_took in times.items():
            observe = family.labels(kind).observe
            for seconds in each_took:
                observe(seconds)


@harmless
def recorded(*, seconds: float) -> None:
    """Count that attempts were recorded, in so many seconds of statements."""
    RECORD_SECONDS.observe(seconds)


@harmless
def claimed(*, rows: int, seconds: float, lock_seconds: float) -> None:
    """Count a claim; `lock_seconds` of its `seconds` it waited for the lock."""
    CLAIM_ROWS.observe(rows)
    CLAIM_SECONDS.observe(seconds)
    CLAIM_LOCK_SECONDS.observe(lock_seconds)


@harmless
def claim_lock_not_had() -> None:
    """Count a claim that ended without the lock."""
    CLAIM_LOCK_TIMEOUTS.inc()


@harmless
def event_recorded(*, event_type: str, source: str, deliveries: int) -> None:
    """Count an event with its deliveries; call it after the commit."""
    EVENTS.labels(event_type, source).inc()
    DELIVERIES.labels(event_type).inc(deliveries)


@harmless
def alert_written(*, kind: str) -> None:
    """Count an alert; call it after the commit."""
    ALERTS.labels(kind).inc()


@harmless
def purged(*, seconds: float) -> None:
    """Count a purge that went to its end."""
    PURGE_SECONDS.observe(seconds)
