"""Which deliveries a claim may take, and how many it must: chance decides between the channels only."""

from collections.abc import Collection
from datetime import datetime

from tests.notifications.life_model import FAILURES_BEFORE_PROBING, Life, ModelDelivery, assert_oldest


def assert_right(
    life: Life, taken: Collection[str], now: datetime, *, slots: int, slowed_slots: int, reserve: int
) -> None:
    """Raises `AssertionError` where the rules forbid one of these deliveries, or would have filled a slot more."""

    def due(each: ModelDelivery) -> bool:
        return each.status == "pending" and each.lease is None and each.due_at <= now

    tests = {
        pk
        for pk, each in life.deliveries.items()
        if due(each) and each.trigger == "test" and not life.channels[each.channel].archived
    }
    tests_taken = tests & set(taken)
    _assert_oldest(life, tests_taken, tests)
    assert len(tests_taken) == min(slots, len(tests)), "tests come first, outside every rate"

    slowed_taken = first_taken = other_taken = slowed_wanted = first_wanted = other_wanted = 0
    for pk, channel in life.channels.items():
        waiting = set(life.of(pk, lambda each: due(each) and each.trigger != "test"))
        mine = waiting & set(taken)
        _assert_oldest(life, mine, waiting)
        if channel.paused or channel.archived or (channel.probe_at is not None and channel.probe_at > now):
            assert not mine, "the channel is paused, deleted or backing off"
            continue
        room = max(0, life.cap(pk) - len(life.live(pk)))
        life.met["the cap kept a due delivery back"] += len(waiting) > room
        life.met["one probe went"] += channel.failures >= FAILURES_BEFORE_PROBING and len(mine) == 1
        assert len(mine) <= room, "the cap of the channel"
        if life.slowed(pk, now):
            life.met["a channel is slow to answer"] += life.cap(pk) == life.concurrency
            slowed_taken += len(mine)
            slowed_wanted += min(room, len(waiting))
            continue
        idle = not life.live(pk) and bool(waiting)
        first_wanted += idle
        first_taken += idle and bool(mine)
        other_wanted += min(room, len(waiting)) - idle
        other_taken += len(mine) - (idle and bool(mine))

    tests_in_flight = any(each.lease and each.trigger == "test" for each in life.deliveries.values())
    life.met["a test went beside others"] += tests_in_flight and first_taken + other_taken > 0
    left = slots - len(tests_taken)
    assert slowed_taken == min(left, slowed_slots, slowed_wanted), "slowed channels hold so many slots"
    life.met["a slowed channel was kept from a slot"] += slowed_wanted > slowed_slots
    left -= slowed_taken
    assert first_taken == min(left, first_wanted), "then comes one of each channel with nothing in flight"
    left -= first_taken
    life.met["a slot was kept in reserve"] += left > other_taken < other_wanted
    assert other_taken == min(max(0, left - reserve), other_wanted), "then come the others, but for the reserve"
    assert len(taken) == len(tests_taken) + slowed_taken + first_taken + other_taken, "nothing that is not due"


def _assert_oldest(life: Life, taken: Collection[str], waiting: Collection[str]) -> None:
    assert_oldest(
        [life.deliveries[pk].due_at for pk in taken], [life.deliveries[pk].due_at for pk in set(waiting) - set(taken)]
    )
