"""A walk through the lives of deliveries: at each step something is asked of Tidings and told to the model."""

import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from channels_app.models import Channel
from channels_app.services import create_channel
from channels_app.transports import Answer, Outcome
from notifications import replay, retention, services
from notifications.delivery import health
from notifications.delivery.claim import Claim, claim
from notifications.delivery.maintenance import abandon, recover
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.errors import Conflict
from notifications.events import EVENT_TYPES
from notifications.models import Delivery, Event
from notifications.pausing import pause_channel
from tests.notifications import life_claiming
from tests.notifications.life_choices import (
    CHANGES,
    CONCURRENCY,
    PAUSES,
    REPLAYED_AT_ONCE,
    TYPES,
    answers,
    numbers,
    pairs,
)
from tests.notifications.life_model import Between, Life, ModelDelivery, ModelEvent, ModelReplay
from tests.notifications.life_store import Store


class Walk(RuleBasedStateMachine):
    """Every rule may be taken at any time: what is there depends on the channels that a claim has happened to take."""

    met: Counter[str] = Counter()

    @initialize(deliveries=strategies.integers(2, 6))
    def begin(self, deliveries: int) -> None:
        self.store = Store()
        self.channels = [
            create_channel(name=name, kind="postback", url="https://example.com/").pk for name in ("A", "B", "C")
        ]
        self.life = Life(self.channels, concurrency=CONCURRENCY, replayed_at_once=REPLAYED_AT_ONCE, met=self.met)
        self.hand: dict[str, Claim] = {}  # by attempt; what was answered stays a while, to be answered once more
        for number in range(deliveries):
            self.occur(TYPES[number % 2], set(range(number, 4)))

    @invariant()
    def agrees(self) -> None:
        self.store.assert_agrees(self.life)

    @rule(event_type=strategies.sampled_from(TYPES), heard_by=strategies.sets(numbers, min_size=1, max_size=4))
    def occur(self, event_type: str, heard_by: set[int]) -> None:
        """Also for a deleted channel: a transaction that overlapped the deletion may record one."""
        body = json.dumps({"type": event_type, "number": len(self.life.events)})
        event = Event.objects.create(type=event_type, source="shop", body=body, created_at=self.store.stored(self.now))
        self.note(event)
        for channel in {self.channel(number) for number in heard_by}:
            before = self.now
            row = Delivery.objects.create(event=event, event_type=event_type, channel_id=channel)
            self.life.deliveries[row.pk] = ModelDelivery(event.pk, event_type, channel, self.since(before))

    @rule(number=numbers)
    def send_test(self, number: int) -> None:
        channel, before = self.channel(number), self.now
        if self.life.channels[channel].archived:
            with pytest.raises(Channel.DoesNotExist):
                services.send_test(channel_id=channel, event_type=EVENT_TYPES[TYPES[0]], by="test")
            return
        row = services.send_test(channel_id=channel, event_type=EVENT_TYPES[TYPES[0]], by="test")
        self.note(row.event)
        delivery = ModelDelivery(row.event_id, row.event_type, channel, self.since(before), trigger="test")
        self.life.deliveries[row.pk] = delivery

    @rule(
        slots=strategies.integers(1, 12),
        slowed_slots=strategies.integers(0, 6),
        other_slots=strategies.integers(0, 8),
        test_slots=strategies.integers(0, 3),
        alone=strategies.booleans(),
    )
    def claim(self, slots: int, slowed_slots: int, other_slots: int, test_slots: int, alone: bool = True) -> None:
        limits: dict[str, Any] = {
            "slots": slots,
            "slowed_slots": slowed_slots,
            "other_slots": other_slots,
            "test_slots": test_slots,
            "alone": alone,
        }
        before = self.now
        claims = claim(**limits)
        when = self.since(before)
        ids = [each.delivery_id for each in claims]
        assert len(ids) == len(set(ids)) <= slots
        try:
            life_claiming.assert_right(self.life, ids, when.earliest, **limits)
        except AssertionError:  # unless something came due in between
            life_claiming.assert_right(self.life, ids, when.latest, **limits)
        for each in claims:
            delivery = self.life.deliveries[each.delivery_id]
            assert each.body == self.life.events[delivery.event].body
            assert (each.trigger, each.automatic_retries) == (delivery.trigger, delivery.retries)
            assert each.number == len(delivery.attempts) + 1
            is_test = each.trigger == "test"
            assert each.troubled == (self.life.channels[delivery.channel].in_trouble and not is_test)
        for each in claims:
            self.life.claimed(each.delivery_id, each.attempt_id, when, each.claimed_at + self.store.skipped)
            self.hand[each.attempt_id] = each

    @rule()
    def claim_all(self) -> None:
        """All that may go, what a worker died with one by one."""
        for _ in range(9):
            before = len(self.in_flight())
            self.claim(slots=12, slowed_slots=6, other_slots=12, test_slots=12)
            self.agrees()
            if len(self.in_flight()) in {before, before + 12}:
                break

    @rule(answered=pairs)
    def record(self, answered: list[tuple[int, Answer]]) -> None:
        """Answers to what was claimed at any time, in flight or not."""
        attempts = list(self.hand)
        self.answer({attempts[number % len(attempts)]: answer for number, answer in answered if attempts})

    @rule(answer=answers)
    def record_all(self, answer: Answer) -> None:
        self.answer(dict.fromkeys(self.in_flight(), answer))

    @rule(answer=answers, rounds=strategies.integers(2, 4))
    def work_alike(self, answer: Answer, rounds: int) -> None:
        self.work([answer] * rounds)

    @rule(rounds=strategies.lists(strategies.one_of(strategies.none(), answers, answers), min_size=1, max_size=3))
    def work(self, rounds: list[Answer | None]) -> None:
        """Workers that in each round get one answer from everybody, or die before they can record any."""
        for answer in rounds:
            self.claim_all()
            self.agrees()
            if answer:
                self.record_all(answer)
                self.agrees()
            self.let_time_pass(timedelta(seconds=2000))
            self.recover()
            self.agrees()

    @rule()
    def send_nothing(self) -> None:
        """A worker that was frozen past its lease drops what it has claimed."""
        assert record([Result(self.hand[attempt], None, 0) for attempt in self.in_flight()]) == 0

    @rule(time=strategies.sampled_from(PAUSES))
    def let_time_pass(self, time: timedelta) -> None:
        self.store.skip(time)
        self.hand = {attempt: replace(each, claimed_at=each.claimed_at - time) for attempt, each in self.hand.items()}
        for channel in health._latest_success:
            health._latest_success[channel] -= time

    @rule()
    def recover(self) -> None:
        before = self.now
        recovered = recover()
        assert recovered == self.life.recovered(before, self.since(before))

    @rule()
    def abandon(self) -> None:
        before = self.now
        abandoned = abandon()
        assert abandoned == self.life.abandoned(self.since(before))

    @rule(number=numbers, do=strategies.sampled_from(CHANGES))
    def change_channel(self, number: int, do: str) -> None:
        channel, before = self.channel(number), self.now
        known = self.life.channels[channel]
        if known.archived:
            with pytest.raises(Channel.DoesNotExist):
                self.carry_out(do if do != "probe" else "resume", channel)
            return
        self.carry_out(do, channel)
        if do == "pause":
            known.paused = True
        elif do == "resume":
            self.life.resumed(channel, before)
        elif do == "probe":
            self.life.forgiven(channel, before)
        else:
            known.archived = True
            self.life.abandoned(self.since(before))

    @rule(number=strategies.integers(0, 30), of_all=strategies.sampled_from([False, False, True]))
    def retry(self, number: int, of_all: bool = False) -> None:
        deliveries = list(self.life.deliveries) if of_all else self.failed()
        if deliveries:
            self.try_again(deliveries[number % len(deliveries)])

    @rule(number=numbers)
    def replay_all(self, number: int) -> None:
        self.start_replay(number, timedelta(days=60), [], dry_run=False)
        self.agrees()
        self.advance()

    @rule(
        number=numbers,
        back=strategies.sampled_from([timedelta(minutes=5), timedelta(days=60)]),
        types=strategies.sampled_from([[], [], ["contact.created"]]),
        dry_run=strategies.sampled_from([False, False, False, True]),
    )
    def start_replay(self, number: int, back: timedelta, types: list[str], dry_run: bool) -> None:
        channel, before = self.channel(number), self.now
        known, since = self.life.channels[channel], before - back
        count = len(self.life.replayable(channel, since, before, types))
        running = self.life.is_replayed(channel)
        refused: type[Exception] | None = None
        if known.archived:
            refused = Channel.DoesNotExist
        elif not dry_run and (known.paused or (running and count)):
            refused = Conflict
        asked: dict[str, Any] = {
            "channel_id": channel,
            "since": self.store.stored(since),
            "event_types": types,
            "dry_run": dry_run,
        }
        if refused:
            with pytest.raises(refused):
                replay.start_replay(**asked, by="test")
            return
        job = replay.start_replay(**asked, by="test")
        when = self.since(before)
        self.life.replays[job.pk] = ModelReplay(
            channel, since, when, types, count, finished_at=when if dry_run or not count else None
        )

    @rule()
    def advance(self) -> None:
        before = self.now
        moved = replay.advance()
        pending = Delivery.objects.filter(pk__in=self.failed(), status="pending", replayed=True)
        ids = set(pending.values_list("pk", flat=True))
        assert moved == len(ids)
        self.life.advanced(ids, self.since(before))

    @rule()
    def purge(self) -> None:
        before = self.now
        assert retention.purge() == self.life.purged(before)

    # What the rules have in common.

    @property
    def now(self) -> datetime:
        return self.store.now()

    def since(self, before: datetime) -> Between:
        return Between(before, self.now)

    def channel(self, number: int) -> str:
        return self.channels[number % len(self.channels)]

    def note(self, event: Event) -> None:
        self.life.events[event.pk] = ModelEvent(event.body or "", event.created_at + self.store.skipped)

    def in_flight(self) -> list[str]:
        return [each.lease for each in self.life.deliveries.values() if each.lease]

    def failed(self) -> list[str]:
        return [pk for pk, each in self.life.deliveries.items() if each.status == "failed"]

    def carry_out(self, do: str, channel: str) -> None:
        {
            "pause": lambda: pause_channel(channel_id=channel, reason="Maintenance.", by="test"),
            "resume": lambda: services.resume_channel(channel_id=channel, by="test"),
            "probe": lambda: services.probe_now(channel_id=channel),
            "archive": lambda: services.archive_channel(channel_id=channel, by="test"),
        }[do]()

    def answer(self, answered: dict[str, Answer]) -> None:
        before = self.now
        recorded = record([Result(self.hand[attempt], answer, 12) for attempt, answer in answered.items()])
        when = self.since(before)
        ours = [
            attempt
            for attempt, answer in answered.items()
            if self.life.answered(self.hand[attempt].delivery_id, attempt, answer, when)
        ]
        assert recorded == len(ours)
        told: dict[str, list[tuple[Answer, datetime, bool]]] = defaultdict(list)
        for attempt in ours:
            claimed = self.hand[attempt]
            known = self.life.channels[claimed.channel.pk]
            known.paused |= answered[attempt].outcome == Outcome.GONE and not known.archived
            if claimed.trigger != "test":
                sent_at = claimed.claimed_at + self.store.skipped
                told[claimed.channel.pk].append((answered[attempt], sent_at, claimed.troubled))
        for channel, answers_told in told.items():
            self.life.learnt(channel, answers_told, when)
        answered_before = [attempt for attempt in self.hand if attempt not in self.in_flight()]
        for attempt in answered_before[:-4]:
            del self.hand[attempt]

    def try_again(self, pk: str) -> None:
        refused, before = self.life.retry_refused(self.life.deliveries[pk]), self.now
        if refused:
            self.met["a retry was refused"] += 1
            with pytest.raises(Conflict) as told:
                services.retry_delivery(delivery_id=pk, by="test")
            assert str(told.value) == refused
            return
        services.retry_delivery(delivery_id=pk, by="test")
        self.met["a retry began"] += 1
        self.life.retried(pk, before, self.since(before))
