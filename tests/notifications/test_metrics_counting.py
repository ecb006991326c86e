"""What the engine, the receivers of signals and the tasks count, and that it never gets in anybody's way."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.test import TestCase
from django.utils import timezone
from prometheus_client import Counter, Histogram

from notifications import alert_raising, services, tasks
from notifications.delivery.claim import claim
from notifications.delivery.maintenance import recover
from notifications.delivery.record import record
from notifications.delivery.send import send
from notifications.metrics import instruments
from notifications.metrics.instruments import REGISTRY
from notifications.models import Delivery, Heartbeat
from tests.notifications.deliveries import let_leases_run_out, make_delivery, make_due
from tests.orders.shop import contact_input, item, pay, place
from tests.servers.receiver import Receiver

pytestmark = pytest.mark.django_db

Counted = Callable[[str], dict[tuple[str, ...], float]]


@pytest.fixture
def counted() -> Counted:
    """`counted(sample)`: what this process has counted since the test began, by the values of the labels."""

    def read(name: str) -> dict[tuple[str, ...], float]:
        return {
            tuple(sample.labels.values()): sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if sample.name == name
        }

    names = {sample.name for metric in REGISTRY.collect() for sample in metric.samples}
    names |= {f"{metric.name}_total" for metric in REGISTRY.collect()}
    before = {name: read(name) for name in names}

    def since(name: str) -> dict[tuple[str, ...], float]:
        known = before.get(name, {})
        return {
            labels: value - known.get(labels, 0)
            for labels, value in read(name).items()
            if value != known.get(labels, 0)
        }

    return since


def answering(receiver: Receiver, *statuses: int) -> None:
    """One after the other, whichever request comes next."""
    left = list(statuses)
    receiver.answer = lambda _request: left.pop(0)


def attempt(number: int) -> None:
    """Claim, send and record so many deliveries, one after the other."""
    claims = claim(slots=64, slowed_slots=64)
    assert len(claims) == number
    record([send(each) for each in claims])


def test_attempts_by_kind_outcome_and_trigger(channel, receiver, counted):
    answering(receiver, 503, 404, 200)
    for _ in range(2):
        make_delivery(channel)
    attempt(2)
    make_due()
    attempt(1)
    assert counted("tidings_attempts_total") == {
        ("postback", "http_error", "first"): 2,
        ("postback", "succeeded", "automatic"): 1,
    }
    assert counted("tidings_retries_total") == {("postback", "http_error"): 1}
    assert counted("tidings_deliveries_finished_total") == {("postback", "failed"): 1, ("postback", "succeeded"): 1}
    assert counted("tidings_attempt_duration_seconds_count") == {("postback",): 3}
    # The one that arrived took two attempts.
    assert counted("tidings_arrival_seconds_count") == {}


def test_how_long_a_delivery_was_on_its_way(channel, receiver, counted):
    delivery = make_delivery(channel, next_attempt_at=timezone.now() - timedelta(seconds=40))
    attempt(1)
    assert counted("tidings_arrival_seconds_count") == {("postback",): 1}
    (seconds,) = counted("tidings_arrival_seconds_sum").values()
    assert 40 <= seconds < 40 + 60
    assert delivery.attempts.get().outcome == "succeeded"


def test_what_a_paused_channel_held_was_on_its_way_since_it_was_resumed(channel, receiver, counted):
    make_delivery(channel, next_attempt_at=timezone.now() - timedelta(days=3))
    services.pause_channel(channel_id=channel.pk, reason="", by="test")
    services.resume_channel(channel_id=channel.pk, by="test")
    attempt(1)
    (seconds,) = counted("tidings_arrival_seconds_sum").values()
    assert 0 <= seconds < 3600


def test_tests_and_alerts_are_attempts_but_no_deliveries_of_the_shop(channel, receiver, counted):
    make_delivery(channel, next_trigger="test")
    attempt(1)
    assert counted("tidings_attempts_total") == {("postback", "succeeded", "test"): 1}
    assert counted("tidings_deliveries_finished_total") == counted("tidings_arrival_seconds_count") == {}


def test_a_worker_that_died_has_an_attempt_of_unknown_outcome(channel, counted):
    make_delivery(channel)
    assert len(claim(slots=1, slowed_slots=1)) == 1
    let_leases_run_out()
    assert recover() == 1
    assert counted("tidings_attempts_total") == {("postback", "unknown", "first"): 1}
    assert counted("tidings_retries_total") == counted("tidings_deliveries_finished_total") == {}
    for _ in range(2):
        assert len(claim(slots=1, slowed_slots=1)) == 1
        let_leases_run_out()
        assert recover() == 1
    assert counted("tidings_attempts_total") == {
        ("postback", "unknown", "first"): 1,
        ("postback", "unknown", "recovered"): 2,
    }
    assert counted("tidings_deliveries_finished_total") == {("postback", "failed"): 1}


def test_what_a_worker_that_lost_its_lease_was_answered_counts_for_nothing(channel, receiver, counted):
    make_delivery(channel)
    (late,) = claim(slots=1, slowed_slots=1)
    let_leases_run_out()
    recover()
    assert record([send(late)]) == 0
    assert counted("tidings_attempts_total") == {("postback", "unknown", "first"): 1}


def test_claims_and_records(channel, receiver, counted):
    for _ in range(3):
        make_delivery(channel)
    attempt(3)
    assert claim(slots=64, slowed_slots=64) == []
    assert counted("tidings_claim_rows_count") == {(): 2}
    assert counted("tidings_claim_rows_sum") == {(): 3}
    assert counted("tidings_claim_duration_seconds_count") == {(): 2}
    assert counted("tidings_claim_lock_wait_seconds_count") == {(): 2}
    assert counted("tidings_record_duration_seconds_count") == {(): 1}


def test_events_with_their_deliveries_once_they_are_committed(
    channel, attach, mug, counted, django_capture_on_commit_callbacks
):
    attach(channel, "order.completed", "transaction.approved")
    with django_capture_on_commit_callbacks() as callbacks:
        pay(place(contact_input(), item("mug")))
    assert counted("tidings_events_total") == {}
    for callback in callbacks:
        if callback.__qualname__.startswith("record_event"):
            callback()
    assert counted("tidings_events_total") == {
        ("contact.created", "shop"): 1,
        ("transaction.approved", "shop"): 1,
        ("customer.created", "shop"): 1,
        ("order.completed", "shop"): 1,
    }
    assert counted("tidings_deliveries_recorded_total") == {("transaction.approved",): 1, ("order.completed",): 1}


def test_an_alert_is_counted_once_while_it_waits(channel, counted, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            alert_raising.channel_failing(channel_id=channel.pk)
    assert counted("tidings_alerts_total") == {("failing",): 1}


def test_a_purge_is_counted_and_remembered(db, counted):
    tasks.purge()
    assert counted("tidings_purge_duration_seconds_count") == {(): 1}
    assert Heartbeat.objects.filter(name=Heartbeat.Name.PURGE).exists()


def test_broken_metrics_neither_stop_nor_delay_a_delivery(channel, receiver, attach, mug, monkeypatch):
    """Each of them breaks at each use; the order is taken and its deliveries arrive, claimed and recorded once."""
    broken = Mock(side_effect=RuntimeError("A fault in counting."))
    for name, instrument in vars(instruments).items():
        if isinstance(instrument, Counter | Histogram):
            monkeypatch.setattr(instruments, name, Mock(labels=broken, observe=broken, inc=broken))
    attach(channel, "order.completed")
    with TestCase.captureOnCommitCallbacks(execute=True):
        pay(place(contact_input(), item("mug")))
    attempt(1)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts.count(), len(receiver.received)) == ("succeeded", 1, 1)
    assert broken.called
