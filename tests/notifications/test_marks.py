"""Where dead rows make a claim slow, it begins where the last one ended."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from channels_app.transports import Answer, Outcome
from notifications.delivery import marks as module
from notifications.delivery.claim import claim
from notifications.delivery.marks import Marks
from notifications.delivery.record import record
from notifications.delivery.send import Result
from tests.notifications.deliveries import claim_all, make_delivery
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class TestMarks:
    def claim_some(self, marks: Marks, slots: int = 64) -> list[str]:
        return [each.delivery_id for each in claim(slots=slots, slowed_slots=slots, marks=marks)]

    def test_a_look_begins_at_the_marks_and_sees_all_without_them(self, channel):
        marks = Marks()
        old = timezone.now() - timedelta(minutes=1)
        first, second = (make_delivery(channel, next_attempt_at=old + timedelta(seconds=n)) for n in range(2))
        assert self.claim_some(marks, slots=1) == [first.pk]
        late = make_delivery(channel, next_attempt_at=old - timedelta(seconds=1))
        assert self.claim_some(marks) == [second.pk]
        assert self.claim_some(marks) == []
        marks.begin_look(0.0)
        assert self.claim_some(marks) == [late.pk]

    def test_what_goes_before_its_turn_moves_no_mark(self, channel):
        marks = Marks()
        waiting = make_delivery(channel)
        make_delivery(channel, next_trigger="manual")
        assert len(self.claim_some(marks, slots=1)) == 1
        assert self.claim_some(marks) == [waiting.pk]

    def test_marks_are_left_aside_once_the_database_s_clock_was_stepped_back(self, channel, settings):
        """Rows and leases of since lie before them: nothing is overlooked, and the cap holds."""
        settings.CHANNEL_CONCURRENCY = 3
        marks = Marks()
        for _ in range(9):
            make_delivery(channel)
        assert len(self.claim_some(marks, slots=2)) == 2
        assert marks and marks.set_at
        ahead = timedelta(hours=1)
        marks.set_at += ahead
        later = timezone.now() + ahead
        marks.set(channel.pk, leased_from=later, due_from=later)
        assert len(self.claim_some(marks)) == 1

    def test_leases_made_by_others_since_count(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 3
        marks = Marks()
        for _ in range(9):
            make_delivery(channel)
        assert len(self.claim_some(marks, slots=1)) == 1
        assert len(claim_all(1)) == 1
        assert len(self.claim_some(marks)) == 1
        assert self.claim_some(marks) == []

    def test_the_oldest_live_lease_counts_however_many_came_after_it(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 2
        marks = Marks()
        for _ in range(6):
            make_delivery(channel)
        claim(slots=1, slowed_slots=1, marks=marks)  # is not answered
        for _ in range(3):
            (other,) = claim(slots=64, slowed_slots=64, marks=marks)
            record([Result(other, Answer(Outcome.SUCCEEDED, status_code=200), 1)])

    def test_the_engine_leaves_nothing_that_was_committed_late(self, engine, receiver, channel, monkeypatch):
        monkeypatch.setattr(module, "SLOW_CLAIM_SECONDS", -1.0)
        old = timezone.now() - timedelta(minutes=1)
        for _ in range(5):
            make_delivery(channel, next_attempt_at=old)

        def commit_late(request: object) -> int:
            if len(receiver.received) == 1:
                make_delivery(channel, next_attempt_at=old - timedelta(minutes=1))
                connection.close()
            return 200

        receiver.answer = commit_late
        assert engine.deliver_due() == 6

    def test_a_busy_engine_looks_at_everything_now_and_then(self, engine, receiver, channel, monkeypatch):
        """It need not come to rest for it: one delivery hangs until the one that was committed late has arrived."""
        monkeypatch.setattr(module, "SLOW_CLAIM_SECONDS", -1.0)
        monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.2)
        old = timezone.now() - timedelta(minutes=1)
        go_on = threading.Event()
        receiver.answer = lambda request: 200 if len(receiver.received) > 1 or go_on.wait(20) else 500
        make_delivery(channel, next_attempt_at=old)
        thread = threading.Thread(target=lambda: (engine.deliver_due(), connection.close()))
        thread.start()
        wait_until(lambda: len(receiver.received) == 1)
        make_delivery(channel, next_attempt_at=old - timedelta(minutes=1))
        wait_until(lambda: len(receiver.received) == 2)
        go_on.set()
        thread.join(20)

    def test_looks_are_whole_for_a_twentieth_of_the_time_and_every_ten_seconds_at_least(self):
        marks, at = Marks(), timezone.now()

        def look(now: float, took: float) -> bool:
            """Whether it began at marks; it sets some."""
            marks.begin_look(now)
            began_at_marks = bool(marks)
            marks.set("chn_1", leased_from=at, due_from=at)
            marks.end_look(now, took)
            return began_at_marks

        assert [look(100.0, 0.1), look(101.9, 0.1), look(102.0, 0.1)] == [False, True, False]
        assert [look(104.0, 5.0), look(113.9, 0.1), look(114.0, 0.01)] == [False, True, False]
        assert look(114.1, 0.01) is False

    def test_a_quick_claim_uses_none(self, engine, receiver, channel, monkeypatch):
        monkeypatch.setattr(module, "SLOW_CLAIM_SECONDS", 60.0)
        for _ in range(3):
            make_delivery(channel)
        engine.deliver_due()
        assert not engine._marks
