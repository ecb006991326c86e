"""Where dead rows make a claim slow, it begins where the last one ended."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from channels_app.transports import Answer, Outcome
from notifications.delivery import engine as module
from notifications.delivery.claim import Marks, claim
from notifications.delivery.record import record
from notifications.delivery.send import Result
from tests.notifications.deliveries import claim_all, make_delivery

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
        marks.forget()
        assert self.claim_some(marks) == [late.pk]

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

    def test_a_quick_claim_uses_none(self, engine, receiver, channel, monkeypatch):
        monkeypatch.setattr(module, "SLOW_CLAIM_SECONDS", 60.0)
        for _ in range(3):
            make_delivery(channel)
        engine.deliver_due()
        assert not engine._marks
