"""Which deliveries a claim may take, and how many it must: chance decides between the channels only."""

from collections.abc import Collection, Iterable
from datetime import datetime

from tests.notifications.life_model import FAILURES_BEFORE_PROBING, Life, ModelDelivery, assert_oldest

TESTS_AT_ONCE = 2


def assert_right(
    life: Life,
    taken: Collection[str],
    now: datetime,
    *,
    slots: int,
    slowed_slots: int,
    other_slots: int,
    test_slots: int,
    alone: bool,
) -> None:
    """Raises `AssertionError` where the rules forbid one of these deliveries, or would have filled a slot more."""

    def due(each: ModelDelivery) -> bool:
        return each.status == "pending" and each.lease is None and each.due_at <= now

    def is_open(pk: str) -> bool:
        channel = life.channels[pk]
        return not (channel.paused or channel.archived or (channel.probe_at is not None and channel.probe_at > now))

    def room(pk: str) -> int:
        return max(0, life.cap(pk) - len(life.live(pk)))

    usual = {pk: life.of(pk, lambda each: due(each) and each.trigger != "test") for pk in life.channels}
    if alone and slots:
        suspects = {
            pk: of_channel
            for pk, waiting in usual.items()
            if (of_channel := {delivery for delivery, each in waiting.items() if each.unknowns})
            and is_open(pk)
            and room(pk)
            and (slowed_slots or not life.slowed(pk, now))
        }
        if suspects:
            life.met["what a worker died with went alone"] += len(usual) > 1
            (one,) = taken
            mine = suspects[life.deliveries[one].channel]
            _assert_oldest(life, {one}, mine)
            return

    tests_wanted = tests_taken = 0
    for pk, channel in life.channels.items():
        tests = set(life.of(pk, lambda each: due(each) and each.trigger == "test"))
        mine = tests & set(taken)
        _assert_oldest(life, mine, tests)
        left = max(0, TESTS_AT_ONCE - len(life.live(pk, tests=True)))
        life.met["tests waited for tests"] += len(tests) > left and not channel.archived
        assert len(mine) <= (0 if channel.archived else left), "few tests of a channel at once, none of a deleted one"
        tests_taken += len(mine)
        tests_wanted += 0 if channel.archived else min(left, len(tests))
    assert tests_taken == min(slots, test_slots, tests_wanted), "tests come first, outside every rate"

    slowed_taken = first_taken = other_taken = slowed_wanted = first_wanted = other_wanted = 0
    slowed_idle_taken = slowed_idle_wanted = 0
    for pk, channel in life.channels.items():
        waiting = {delivery for delivery, each in usual[pk].items() if not each.unknowns}
        mine = waiting & set(taken)
        if not is_open(pk):
            assert not mine, "the channel is paused, deleted or backing off"
            continue
        retried = {each for each in waiting if life.deliveries[each].trigger == "manual"}
        assert not mine - retried or retried <= mine, "what a person has retried goes first"
        life.met["what was retried went before an older one"] += bool(mine and retried and waiting - retried - mine)
        for some in (retried, waiting - retried):
            _assert_oldest(life, mine & some, some)
        free = room(pk)
        life.met["the cap kept a due delivery back"] += len(waiting) > free
        life.met["one probe went"] += channel.failures >= FAILURES_BEFORE_PROBING and len(mine) == 1
        assert len(mine) <= free, "the cap of the channel"
        idle = not life.live(pk)
        if life.slowed(pk, now):
            life.met["a channel is slow to answer"] += life.cap(pk) == life.concurrency
            slowed_taken += len(mine)
            slowed_wanted += min(free, len(waiting))
            slowed_idle_taken += idle * len(mine)
            slowed_idle_wanted += idle * min(free, len(waiting))
            continue
        first = idle and bool(waiting)
        first_wanted += first
        first_taken += first and bool(mine)
        other_wanted += min(free, len(waiting)) - first
        other_taken += len(mine) - (first and bool(mine))

    tests_in_flight = any(each.lease and each.trigger == "test" for each in life.deliveries.values())
    life.met["a test went beside others"] += tests_in_flight and first_taken + other_taken > 0
    left = slots - tests_taken
    assert slowed_taken == min(left, slowed_slots, slowed_wanted), "slowed channels hold so many slots"
    assert slowed_idle_taken == min(left, slowed_slots, slowed_idle_wanted), "those with nothing in flight first"
    life.met["a slowed channel was kept from a slot"] += slowed_wanted > slowed_slots
    left -= slowed_taken
    assert first_taken == min(left, first_wanted), "then comes one of each channel with nothing in flight"
    left -= first_taken
    life.met["the first of a channel went where no slot was left"] += first_taken > other_slots
    assert other_taken == max(0, min(left, other_slots - first_taken, other_wanted)), "then the others, in slots"
    assert len(taken) == tests_taken + slowed_taken + first_taken + other_taken, "nothing that is not due"


def _assert_oldest(life: Life, taken: Collection[str], waiting: Iterable[str]) -> None:
    assert_oldest(
        [life.deliveries[pk].due_at for pk in taken], [life.deliveries[pk].due_at for pk in set(waiting) - set(taken)]
    )
