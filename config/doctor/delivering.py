"""Looks at what delivers: workers, beat, and what waits. All of it is `notifications.monitoring`'s to judge."""

from collections.abc import Callable, Sequence

from config.doctor.examination import Check, Finding, fault, ok, unknown, warning
from notifications import monitoring
from notifications.monitoring import Condition


def checks() -> list[Check]:
    """Of worker, beat and deliveries. The first to run looks, the others take what it saw."""
    seen: list[Condition] = []

    def of(judge: Callable[[Condition], Sequence[Finding]]) -> Callable[[], Sequence[Finding]]:
        def look() -> Sequence[Finding]:
            if not seen:
                seen.append(monitoring.look())
            return judge(seen[0]) if seen[0].database else [unknown("The database has not answered in time.")]

        return look

    judges = {"worker": _of_workers, "beat": _of_beat, "deliveries": _of_deliveries}
    return [Check(name, of(judge), needs_database=True) for name, judge in judges.items()]


def _of_workers(condition: Condition) -> Sequence[Finding]:
    if problem := condition.problem_of_workers():
        return [fault(problem, "Start one: celery -A config worker. If one runs, its log says more.")]
    return [ok(f"One has claimed {monitoring.in_words(condition.worker_age)} ago.")]


def _of_beat(condition: Condition) -> Sequence[Finding]:
    if problem := condition.problem_of_beat():
        return [fault(problem, "Start it: celery -A config beat. It needs the broker and a worker, too.")]
    return [ok(f"It has run {monitoring.in_words(condition.beat_age)} ago.")]


def _of_deliveries(condition: Condition) -> Sequence[Finding]:
    found = []
    if problem := condition.problem_of_deliveries(max_age=monitoring.LONGEST_WAIT_SECONDS):
        found.append(fault(problem, "Start more workers, or find out what holds up those that run."))
    found += [warning(sentence, "Look at the channel in the back office.") for sentence in condition.waits()]
    return found or [ok("None that could be sent waits for long.")]
