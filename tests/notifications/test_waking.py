"""Wake-ups: none is lost, one runs at a time, and stopping leaves nothing half done."""

import threading
from typing import Any

import pytest
from django.db import OperationalError

from notifications.delivery import engine as module
from notifications.delivery.claim import Claim
from notifications.delivery.record import record
from notifications.delivery.send import Result
from notifications.models import ChannelHour, Delivery
from notifications.tally import Tally
from tests.notifications.deliveries import make_delivery, story
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class TestWaking:
    def test_what_is_rung_for_while_the_runner_is_letting_go_is_found_by_its_second_look(
        self, engine, receiver, channel, monkeypatch
    ):
        """It is committed after the runner's last look and rung for before it has let go; no clock helps."""
        run = engine._run
        runs: list[int] = []

        def run_and_find_one_more() -> int:
            recorded: int = run()
            runs.append(recorded)
            if len(runs) == 1:
                make_delivery(channel)
                assert engine.deliver_due() == 0  # somebody is at it, and is left a kick
            return recorded

        monkeypatch.setattr(engine, "_run", run_and_find_one_more)
        assert engine.deliver_due() == 1
        assert runs == [0, 1]
        assert Delivery.objects.get().status == "succeeded"

    def test_one_call_runs_at_a_time_and_the_other_one_leaves_its_work_to_it(self, engine, receiver, channel):
        go_on = threading.Event()
        receiver.answer = lambda request: 200 if go_on.wait(20) else 500
        make_delivery(channel)
        runner = threading.Thread(target=engine.deliver_due)
        runner.start()
        wait_until(lambda: len(receiver.received) == 1)
        make_delivery(channel)
        assert engine.deliver_due() == 0
        wait_until(lambda: len(receiver.received) == 2)
        go_on.set()
        runner.join(20)
        assert Delivery.objects.filter(status="succeeded").count() == 2

    def test_stopping_claims_nothing_more_and_records_what_is_in_flight(self, engine, receiver, channel, settings):
        settings.SWEEP_INTERVAL_SECONDS = 60.0  # no claim has begun when it is stopped
        go_on = threading.Event()
        receiver.answer = lambda request: 200 if go_on.wait(20) else 500
        first = make_delivery(channel)
        runner = threading.Thread(target=engine.deliver_due)
        runner.start()
        wait_until(lambda: len(receiver.received) == 1)
        engine.stop()
        second = make_delivery(channel)
        assert engine.deliver_due() == 0
        go_on.set()
        runner.join(20)
        assert engine.join(timeout=30)
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.status, second.status, second.attempts_made) == ("succeeded", "pending", 0)

    def test_counts_are_written_before_the_end_though_the_last_claim_failed(
        self, engine, receiver, channel, monkeypatch
    ):
        make_delivery(channel)
        claims = iter([module.claim])

        def fail_at_last(**limits: Any) -> list[Claim]:
            if (really := next(claims, None)) is None:
                raise OperationalError("away")
            claims_made: list[Claim] = really(**limits)
            return claims_made

        monkeypatch.setattr(module, "claim", fail_at_last)
        with pytest.raises(OperationalError):
            engine.deliver_due()
        assert ChannelHour.objects.count() == 0
        engine.stop()
        assert engine.join(timeout=30)
        assert ChannelHour.objects.get().succeeded == 1

    def test_a_database_that_is_away_while_recording_costs_no_second_send(self, engine, receiver, channel, monkeypatch):
        failures = iter([True, True])

        def record_at_last(results: list[Result], tally: Tally) -> int:
            if next(failures, False):
                raise OperationalError("away")
            return record(results, tally)

        monkeypatch.setattr(module, "record", record_at_last)
        monkeypatch.setattr(module, "RECORD_AGAIN_AFTER_SECONDS", 0.01)
        delivery = make_delivery(channel)
        assert engine.deliver_due() == 1
        assert len(receiver.received) == 1
        assert story(delivery) == [(1, "first", "succeeded", 200)]
