"""What a delivery's life ought to be: the rules once more, in plain Python and without a database.

The model is told what was asked of Tidings, and when; `tests.notifications.life_store` compares it with what stands in
PostgreSQL. Its times go on where the test moves the stored ones back; one that is known to lie between two others only
is a `Between` until it was seen.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from channels_app.transports import Answer, Outcome

LEASE = timedelta(seconds=60)
SLOW_AFTER = timedelta(seconds=5)
RETRY_DELAYS = (60.0, 300.0, 1800.0)
JITTER = 1.1
FAILURES_BEFORE_PROBING = 5
RETRIED_STATUS_CODES = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 525, 530}
RETENTION = timedelta(days=30)
NO_MANUAL_RETRY = {"contact.created": "Contact created has no manual retry."}


@dataclass(frozen=True)
class Between:
    """A moment that nobody saw exactly."""

    earliest: datetime
    latest: datetime

    def later(self, least: float, most: float | None = None) -> "Between":
        most = least if most is None else most
        return Between(self.earliest + timedelta(seconds=least), self.latest + timedelta(seconds=most))


# A datetime, a `Between` until it was seen, or None: which one, the status says.
Moment = Any


@dataclass
class ModelChannel:
    paused: bool = False
    archived: bool = False
    own_cap: int | None = None
    failures: int = 0
    # When the attempts were sent that have failed since the latest success was, and when that was.
    failed_sent: list[datetime] = field(default_factory=list)
    success_sent: datetime | None = None
    probe_at: Moment = None

    @property
    def in_trouble(self) -> bool:
        return self.own_cap is not None or self.failures > 0

    def counts(self, sent_at: datetime) -> bool:
        """Whether a failure was sent after the latest success."""
        return self.success_sent is None or sent_at > self.success_sent


@dataclass
class ModelDelivery:
    event: str
    event_type: str
    channel: str
    due_at: Moment
    trigger: str = "first"
    status: str = "pending"
    outcome: str = ""
    finished_at: Moment = None
    retries: int = 0
    unknowns: int = 0
    lease: str | None = None  # the id of the attempt that it is in flight under
    lease_ends: Moment = None
    sent_at: datetime | None = None  # the same for all that was claimed at once
    replayed: bool = False
    attempts: list[list[str]] = field(default_factory=list)  # trigger and outcome of each

    def finish(self, status: str, when: Between) -> None:
        self.status, self.due_at, self.finished_at, self.replayed = status, None, when, False
        self.lease, self.lease_ends = None, None

    def wait(self, trigger: str, due_at: Between) -> None:
        self.status, self.trigger, self.due_at, self.finished_at = "pending", trigger, due_at, None
        self.lease, self.lease_ends = None, None


@dataclass
class ModelEvent:
    body: str
    created_at: datetime


@dataclass
class ModelReplay:
    channel: str
    since: datetime
    created_at: Moment
    types: list[str]
    count: int
    finished_at: Moment = None
    replayed: int = 0


class Life:
    """Channels, events, deliveries and replays as they ought to be. `met` counts what has come up."""

    def __init__(self, channels: Iterable[str], *, concurrency: int, replayed_at_once: int, met: Counter[str]) -> None:
        self.channels = {channel: ModelChannel() for channel in channels}
        self.events: dict[str, ModelEvent] = {}
        self.deliveries: dict[str, ModelDelivery] = {}
        self.replays: dict[str, ModelReplay] = {}
        self.concurrency, self.replayed_at_once, self.met = concurrency, replayed_at_once, met

    def of(self, channel: str, accept: Callable[[ModelDelivery], bool]) -> dict[str, ModelDelivery]:
        return {pk: each for pk, each in self.deliveries.items() if each.channel == channel and accept(each)}

    def cap(self, channel: str) -> int:
        known = self.channels[channel]
        if known.failures >= FAILURES_BEFORE_PROBING:
            return 1
        return self.concurrency if known.own_cap is None else min(known.own_cap, self.concurrency)

    def live(self, channel: str, *, tests: bool = False) -> list[ModelDelivery]:
        """What is in flight and counts: a test that a person sends goes outside every rate."""
        return list(
            self.of(channel, lambda each: each.lease is not None and (each.trigger == "test") == tests).values()
        )

    def slowed(self, channel: str, now: datetime) -> bool:
        waits_long = any(each.lease_ends < now + LEASE - SLOW_AFTER for each in self.live(channel))
        return self.cap(channel) < self.concurrency or self.channels[channel].failures >= 5 or waits_long

    def shown(self, delivery: ModelDelivery) -> str:
        waits = delivery.status == "pending" and delivery.lease is None and delivery.trigger != "test"
        return "held" if waits and self.channels[delivery.channel].paused else delivery.status

    def retry_refused(self, delivery: ModelDelivery) -> str | None:
        channel = self.channels[delivery.channel]
        if delivery.status == "pending":
            return "It is being sent right now." if delivery.lease else "It is waiting to be sent."
        if delivery.status == "succeeded":
            return "It has been delivered."
        if delivery.event.startswith("evt_test"):
            return "It is a test. Send another one."
        if delivery.event_type in NO_MANUAL_RETRY:
            return NO_MANUAL_RETRY[delivery.event_type]
        if channel.archived:
            return "The channel was deleted."
        return "The channel is paused. Resume it first." if channel.paused else None

    def is_replayed(self, channel: str) -> bool:
        return any(each.channel == channel and each.finished_at is None for each in self.replays.values())

    # What is asked of it.

    def claimed(self, pk: str, attempt: str, when: Between, sent_at: datetime) -> None:
        delivery = self.deliveries[pk]
        delivery.sent_at = sent_at
        delivery.lease, delivery.lease_ends = attempt, when.later(LEASE.total_seconds())
        delivery.attempts.append([delivery.trigger, "started"])

    def answered(self, pk: str, attempt: str, answer: Answer, when: Between) -> bool:
        """Whether the lease was still that of this attempt."""
        delivery = self.deliveries.get(pk)
        if delivery is None or delivery.lease != attempt:
            self.met["an answer came after its lease was lost"] += 1
            return False
        self.met["a channel was deleted under way"] += self.channels[delivery.channel].archived
        delivery.attempts[-1][1] = delivery.outcome = str(answer.outcome)
        delivery.unknowns = 0
        if answer.outcome == Outcome.SUCCEEDED:
            delivery.finish("succeeded", when)
        elif (wait := self._wait(delivery, answer)) is None:
            if delivery.retries == len(RETRY_DELAYS):
                self.met["the third automatic retry failed"] += 1
            delivery.finish("failed", when)
        else:
            delivery.retries += 1
            delivery.wait("automatic", when.later(*wait))
        return True

    def learnt(self, channel: str, told: Sequence[tuple[Answer, datetime, bool]], when: Between) -> None:
        """Of answers that were recorded together: each with the time at which it was sent, and whether the channel was
        in trouble when the attempt began.
        """
        known = self.channels[channel]
        told = [each for each in told if each[0].outcome != Outcome.INTERNAL_ERROR]
        news = [
            (answer, at)
            for answer, at, troubled in told
            if answer.outcome != Outcome.SUCCEEDED or troubled or known.in_trouble
        ]
        succeeded = [at for answer, at, _ in told if answer.outcome == Outcome.SUCCEEDED]
        known.success_sent = max([*succeeded, *filter(None, [known.success_sent])], default=None)
        if not news:
            return
        for answer, _ in news:
            if answer.outcome == Outcome.TIMEOUT:
                known.own_cap = 1
            elif answer.outcome == Outcome.SUCCEEDED and known.own_cap is not None:
                known.own_cap = known.own_cap + 1 if known.own_cap + 1 < self.concurrency else None
                self.met["a success raised the cap"] += 1
        failed = [at for answer, at in news if answer.outcome != Outcome.SUCCEEDED]
        self.met["a failure was of before a success"] += any(not known.counts(at) for at in failed)
        parted = any(not known.counts(at) for at in known.failed_sent)
        failing = known.failures >= FAILURES_BEFORE_PROBING and not parted
        known.failed_sent = sorted(at for at in [*known.failed_sent, *failed] if known.counts(at))
        if failing:
            known.failures += sum(known.counts(at) for at in failed)
        else:
            known.failures = self._in_row(channel)
        known.probe_at = None
        if known.failures >= FAILURES_BEFORE_PROBING:
            self.met["a channel is asked by probes"] += 1
            known.probe_at = when.later(min(60, 60 / 64 * 2 ** (known.failures - FAILURES_BEFORE_PROBING)))

    def _in_row(self, channel: str) -> int:
        """Step by step through what was sent, in its order."""
        failed = self.channels[channel].failed_sent
        unanswered = {each.sent_at for each in self.live(channel)}
        longest = row = 0
        for at in sorted({*failed, *filter(None, unanswered)}):
            row = 0 if at in unanswered else row + failed.count(at)
            longest = max(longest, row)
        self.met["what is unanswered parted failures"] += longest < len(failed)
        return max(longest, 1) if failed else 0

    def recovered(self, before: datetime, when: Between) -> int:
        lost = [each for each in self.deliveries.values() if each.lease and each.lease_ends < before]
        for delivery in lost:
            delivery.attempts[-1][1] = delivery.outcome = "unknown"
            delivery.unknowns += 1
            if delivery.unknowns == 3 or delivery.trigger == "test":
                self.met["the third unknown in a row failed"] += delivery.unknowns == 3
                delivery.finish("failed", when)
            else:
                delivery.wait("recovered", when)
        return len(lost)

    def forgiven(self, channel: str, now: datetime) -> None:
        if (probe_at := self.channels[channel].probe_at) and probe_at > now:
            self.channels[channel].probe_at = None

    def resumed(self, channel: str, now: datetime) -> None:
        """One delivery at a time at first, where some were held."""
        known = self.channels[channel]
        if known.paused and any(self.of(channel, lambda each: self.shown(each) == "held")):
            known.own_cap = 1
            self.met["a channel with a backlog was resumed"] += 1
        known.paused = False
        self.forgiven(channel, now)

    def retried(self, pk: str, now: datetime, when: Between) -> None:
        delivery = self.deliveries[pk]
        delivery.retries = delivery.unknowns = 0
        delivery.replayed = False
        delivery.wait("manual", when)
        self.forgiven(delivery.channel, now)

    def abandoned(self, when: Between) -> int:
        """Fails what waits on deleted channels."""
        pending = [each for each in self.deliveries.values() if each.status == "pending" and not each.lease]
        left = [each for each in pending if self.channels[each.channel].archived]
        for delivery in left:
            delivery.finish("failed", when)
        return len(left)

    def replayable(self, channel: str, since: datetime, until: datetime, types: Sequence[str]) -> list[str]:
        """What failed then, the oldest first."""

        def taken(each: ModelDelivery) -> bool:
            wanted = not types or each.event_type in types
            return each.status == "failed" and since <= each.finished_at <= until and wanted and each.trigger != "test"

        found = self.of(channel, taken)
        return sorted(found, key=lambda pk: found[pk].finished_at)

    def advanced(self, moved: set[str], when: Between) -> None:
        """Some failed deliveries became pending; asserts that each running replay took what it should."""
        expected = 0
        for replay in (each for each in self.replays.values() if each.finished_at is None):
            channel = self.channels[replay.channel]
            if channel.archived:
                replay.finished_at = when
            if channel.archived or channel.paused:
                continue
            waiting = self.of(replay.channel, lambda each: each.status == "pending" and each.replayed)
            room = max(0, self.replayed_at_once - len(waiting))
            allowed = self.replayable(replay.channel, replay.since, replay.created_at, replay.types)
            mine = moved & set(allowed)
            assert len(mine) == min(room, len(allowed)), (len(mine), room, allowed)
            assert_oldest(
                [self.deliveries[pk].finished_at for pk in mine],
                [self.deliveries[pk].finished_at for pk in set(allowed) - mine],
            )
            expected += len(mine)
            replay.replayed += len(mine)
            if len(mine) < room:
                replay.finished_at = when
            self.met["a retry of what was replayed took room"] += any(
                each.trigger != "replay" for each in waiting.values()
            )
            self.met["a replay took some and left others"] += 0 < len(mine) < len(allowed)
            for pk in mine:
                self.deliveries[pk].retries = self.deliveries[pk].unknowns = 0
                self.deliveries[pk].wait("replay", when)
                self.deliveries[pk].replayed = True
        assert expected == len(moved)

    def purged(self, now: datetime) -> int:
        """Forgets what is older than the retention and finished everywhere."""
        pending = {each.event for each in self.deliveries.values() if each.status == "pending"}
        old = {pk for pk, each in self.events.items() if each.created_at < now - RETENTION}
        gone = old - pending
        self.met["a purge took some and left an old one that was pending"] += bool(gone and old & pending)
        self.events = {pk: each for pk, each in self.events.items() if pk not in gone}
        self.deliveries = {pk: each for pk, each in self.deliveries.items() if each.event not in gone}
        self.replays = {
            pk: each
            for pk, each in self.replays.items()
            if each.finished_at is None or each.finished_at >= now - RETENTION
        }
        return len(gone)

    def _wait(self, delivery: ModelDelivery, answer: Answer) -> tuple[float, float] | None:
        """The least and the most seconds until the next automatic retry."""
        temporary = answer.outcome in {Outcome.CONNECTION_ERROR, Outcome.INTERNAL_ERROR} or (
            answer.outcome == Outcome.HTTP_ERROR and answer.status_code in RETRIED_STATUS_CODES
        )
        over = delivery.retries == len(RETRY_DELAYS) or self.channels[delivery.channel].archived
        if not temporary or over or delivery.trigger == "test":
            return None
        asked, delay = min(answer.retry_after or 0, 3600), RETRY_DELAYS[delivery.retries]
        return max(asked, delay), max(asked, delay * JITTER)


def assert_oldest(taken: Iterable[datetime], left: Iterable[datetime]) -> None:
    taken, left = list(taken), list(left)
    assert not taken or not left or max(taken) <= min(left), (max(taken), min(left))
