"""The life of deliveries, walked at random against a model: every state in every order that the rules allow.

A failure prints the walk that leads to it, as short as it can be made; the same walks are taken each time.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from notifications import replay, retention
from tests.notifications.life_choices import ANSWERS, CONCURRENCY, PAUSES, REPLAYED_AT_ONCE, TYPES
from tests.notifications.life_walk import Walk

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WALKS = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,  # one at a time: shortening each takes a minute or two
    suppress_health_check=list(HealthCheck),
)
# Where the walk by hand must come past: the corners that chance may miss.
CORNERS = {
    "a channel was deleted under way",
    "a channel with a backlog was resumed",
    "a channel is slow to answer",
    "a slowed channel was kept from a slot",
    "a test went beside others",
    "a channel is asked by probes",
    "a purge took some and left an old one that was pending",
    "a replay took some and left others",
    "a retry began",
    "a retry was refused",
    "a success raised the cap",
    "an answer came after its lease was lost",
    "one probe went",
    "the cap kept a due delivery back",
    "the first of a channel went where no slot was left",
    "the third automatic retry failed",
    "the third unknown in a row failed",
    "what a worker died with went alone",
    "what was retried went before an older one",
}

CORNERS_OF_WHAT_IS_SENT_AT_ONCE = {
    "a failure was of before a success",
    "a retry of what was replayed took room",
    "tests waited for tests",
    "what is unanswered parted failures",
}


@pytest.fixture(autouse=True)
def small_numbers(settings, monkeypatch):
    """So that few deliveries come past every limit; the retry delays are those of production."""
    settings.CHANNEL_CONCURRENCY = CONCURRENCY
    settings.POSTBACK_TIMEOUT_SECONDS = 30.0
    settings.POSTBACK_RETRY_DELAYS_SECONDS = [60.0, 300.0, 1800.0]
    settings.RETENTION_DAYS = 30
    monkeypatch.setattr(replay, "AT_ONCE", REPLAYED_AT_ONCE)
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(Walk, "met", Counter())


# Shortening a walk that failed takes minutes.
@pytest.mark.timeout(600)
def test_whatever_happens_in_whatever_order_every_delivery_is_where_the_rules_say():
    run_state_machine_as_test(Walk, settings=WALKS)


def begin() -> tuple[Walk, Callable[..., None]]:
    """A walk in which nothing has happened, and what takes steps of it."""
    walk = Walk()
    walk.begin(deliveries=0)

    def go(*steps: Callable[[], None]) -> None:
        for step in steps:
            step()
            walk.agrees()

    return walk, go


def test_a_walk_by_hand_past_what_was_sent_at_once():
    walk, go = begin()

    def occur(*heard_by: int) -> Callable[[], None]:
        return partial(walk.occur, TYPES[0], set(heard_by))

    ok, unavailable, _, not_found, *_ = ANSWERS
    # Of three that are sent at once, failures count only once nothing can part them.
    go(*[occur(0)] * 3, walk.claim_all, partial(walk.record, [(0, not_found)]))
    go(partial(walk.record, [(1, ok)]), partial(walk.record, [(2, not_found)]))
    # The third test waits for the first two.
    go(*[partial(walk.send_test, 2)] * 3, walk.claim_all, partial(walk.record_all, ok), walk.claim_all)
    # What a replay has moved fills its room until it has ended.
    go(*[occur(1)] * 3, partial(walk.work, [not_found]), partial(walk.replay_all, 1), walk.claim_all)
    go(partial(walk.record_all, unavailable), walk.advance, partial(walk.work, [ok]), walk.advance)
    assert {corner for corner in CORNERS_OF_WHAT_IS_SENT_AT_ONCE if not Walk.met[corner]} == set()


def test_a_walk_by_hand_past_every_corner():
    walk, go = begin()

    def occur(*heard_by: int) -> Callable[[], None]:
        return partial(walk.occur, TYPES[0], set(heard_by))

    lose = [partial(walk.let_time_pass, PAUSES[1]), walk.recover]
    ok, unavailable, later, not_found, timeout, *_, our_fault, gone = ANSWERS

    # A timeout lowers the cap to one, successes raise it; a late answer and a second one change no delivery.
    go(*[occur(0)] * 5, walk.claim_all, partial(walk.record_all, timeout), walk.claim_all, walk.claim_all)
    go(partial(walk.record_all, ok), *[occur(0)] * 3, walk.claim_all, *lose, partial(walk.record, [(3, ok), (4, ok)]))
    go(partial(walk.work, [ok, ok]), occur(0), partial(walk.work, [our_fault, later, later, ok]))
    go(occur(2), walk.claim_all, partial(walk.record_all, gone), partial(walk.change_channel, 2, "resume"))
    # Three automatic retries, then no more; three workers that die, then no more.
    go(*[occur(1)] * 3, partial(walk.work_alike, unavailable, 4), partial(walk.work_alike, unavailable, 12))
    go(partial(walk.retry, -1), partial(walk.replay_all, 1))
    go(occur(2), partial(walk.work, [None] * 4))
    # A retry of what failed begins a new cycle, at once, but not on a paused channel; a replay takes two at a time.
    go(partial(walk.retry, 0), partial(walk.work, [unavailable, ok]))
    go(occur(1), walk.claim_all, partial(walk.record_all, not_found), partial(walk.retry, -1), walk.claim_all)
    go(partial(walk.record_all, not_found), occur(1), walk.claim_all, partial(walk.change_channel, 1, "resume"))
    go(*[occur(2)] * 4, partial(walk.work, [not_found, ok]), occur(2), walk.claim_all)
    go(partial(walk.record_all, not_found), partial(walk.start_replay, 2, timedelta(minutes=5), [], dry_run=False))
    go(walk.advance, partial(walk.work, [not_found]), partial(walk.replay_all, 2))
    go(partial(walk.work, [ok]), *[partial(walk.change_channel, number, "pause") for number in range(3)])
    go(partial(walk.retry, 0), walk.advance)
    # A test goes beside a full channel, and once; a channel that is slow to answer counts as slowed until it has.
    go(*[partial(walk.change_channel, 0, "resume")] * 2, partial(walk.work_alike, ok, 3), partial(walk.send_test, 0))
    go(
        walk.claim_all,
        *[occur(0)] * 4,
        partial(walk.claim, slots=2, slowed_slots=0, other_slots=2, test_slots=2),
        walk.claim_all,
    )
    go(partial(walk.record_all, unavailable), *[occur(0)] * 2, walk.claim_all, partial(walk.record_all, not_found))
    go(partial(walk.replay_all, 0), *[partial(walk.work, [ok]), walk.advance] * 3, *[occur(0)] * 3)
    go(
        partial(walk.claim, slots=2, slowed_slots=0, other_slots=2, test_slots=2),
        partial(walk.let_time_pass, PAUSES[0]),
    )
    go(
        *[partial(walk.claim, slots=9, slowed_slots=slots, other_slots=9, test_slots=9) for slots in (0, 1)],
        partial(walk.record_all, ok),
    )
    # What is held is kept however old it is, what is finished goes; what is left on a deleted channel fails, at once
    # or when its answer is there.
    go(occur(0), occur(1, 2), partial(walk.let_time_pass, PAUSES[-1]), walk.purge)
    go(
        *[partial(walk.change_channel, number, "resume") for number in (1, 2)],
        partial(walk.change_channel, 2, "archive"),
    )
    go(occur(2), walk.claim_all, walk.abandon)
    go(
        partial(walk.work, [ok] * 3),
        *[occur(0)] * 3,
        partial(walk.claim, slots=3, slowed_slots=0, other_slots=0, test_slots=1),
    )
    go(walk.recover, partial(walk.record_all, ok), walk.claim_all, *[occur(0)] * 2)
    go(*[partial(walk.change_channel, 0, change) for change in ("pause", "resume")])
    go(
        partial(walk.change_channel, 0, "archive"),
        occur(0),
        walk.claim_all,
        walk.abandon,
        partial(walk.record_all, unavailable),
    )
    go(partial(walk.work, [ok] * 3), walk.advance, walk.purge, partial(walk.retry, 0, of_all=True))
    assert {corner for corner in CORNERS if not Walk.met[corner]} == set()
