"""How often alerts are sent, when they are withdrawn, and what becomes of one that cannot be sent."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from channels_app.services import create_channel
from channels_app.transports import Answer, Outcome
from notifications import alert_raising, alert_targets, monitoring, services
from notifications.alert_raising import FAILING_KINDS
from notifications.alerts import turn
from notifications.alerts.turn import NO_LONGER_SO, REPLACED
from notifications.delivery.claim import ALERTS_AT_ONCE, Alerts, begin_alerts, claim
from notifications.delivery.engine import Engine
from notifications.delivery.flights import Flights
from notifications.delivery.maintenance import recover
from notifications.delivery.record import record
from notifications.delivery.send import Result, send
from notifications.models import Alert, AlertDelivery, ChannelHealth
from notifications.tasks import send_alerts
from tests.notifications.alerting import (
    claim_alerts,
    failing,
    is_well,
    let_pass,
    make_administrator,
    make_target,
    send_due,
    told,
)
from tests.notifications.deliveries import make_delivery, make_due
from tests.servers.receiver import Receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def administrator(db):
    return make_administrator()


@pytest.fixture
def broken_mail(settings):
    settings.EMAIL_BACKEND = "tests.notifications.alerting.BrokenMail"


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def slow(released) -> Iterator[Receiver]:
    """A receiver that keeps everybody waiting until they are `released`."""
    with Receiver(answer=lambda request: 200 if released.wait(20) else 500) as receiver:
        yield receiver


class TestHowOften:
    def test_a_flapping_channel_is_told_once_an_hour_and_only_while_it_fails(self, channel):
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        assert send_due() == 1
        for _ in range(3):
            alert_raising.channel_failing(channel_id=channel.pk)
        assert told() == [("failing", "administrators", "sent"), ("failing", "administrators", "waits")]
        assert send_due() == 0
        let_pass(minutes=59)
        assert send_due() == 0
        let_pass(minutes=2)
        assert send_due() == 1
        assert len(mail.outbox) == 2

        alert_raising.channel_failing(channel_id=channel.pk)
        is_well(channel)
        let_pass(hours=2)
        assert send_due() == 0
        assert len(mail.outbox) == 2
        assert told()[-1] == ("failing", "administrators", "withdrawn")
        assert AlertDelivery.objects.latest("id").error == NO_LONGER_SO

    def test_causes_do_not_wait_for_each_other(self, channel):
        other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        for each in (channel, other):
            failing(each)
            alert_raising.channel_failing(channel_id=each.pk)
        assert send_due() == 2
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert send_due() == 1
        assert sorted(message.subject for message in mail.outbox) == [
            "[Tidings] Mailing keeps failing",
            "[Tidings] Warehouse keeps failing",
            "[Tidings] Warehouse was paused",
        ]

    def test_a_waiting_alert_takes_the_newer_facts(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="First.", by="grace")
        services.resume_channel(channel_id=channel.pk, by="grace")
        services.pause_channel(channel_id=channel.pk, reason="Second.", by="eve")
        assert send_due() == 1
        assert "paused by eve" in mail.outbox[0].body
        assert "Second." in mail.outbox[0].body
        assert Alert.objects.count() == 1

    def test_the_hour_counts_for_each_target_on_its_own(self, channel, receiver, broken_mail, settings):
        make_target("Ops", receiver.url)
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        assert send_due() == 1
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_pass(minutes=50)
        assert send_due() == 1  # the mail goes out 50 minutes after the postback
        alert_raising.channel_failing(channel_id=channel.pk)
        let_pass(minutes=11)
        assert send_due() == 1
        assert (len(receiver.received), len(mail.outbox)) == (2, 1)
        let_pass(minutes=50)
        assert send_due() == 1
        assert (len(receiver.received), len(mail.outbox)) == (2, 2)

    def test_a_copy_that_could_not_be_sent_gives_way_to_a_newer_one(self, channel, broken_mail, settings):
        services.pause_channel(channel_id=channel.pk, reason="First.", by="grace")
        send_due()
        services.resume_channel(channel_id=channel.pk, by="grace")
        services.pause_channel(channel_id=channel.pk, reason="Second.", by="eve")
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_pass(minutes=2)
        assert send_due() == 1
        assert "Second." in mail.outbox[0].body
        assert told() == [("paused", "administrators", "withdrawn"), ("paused", "administrators", "sent")]
        assert AlertDelivery.objects.earliest("id").error == REPLACED

    def test_which_one_is_newer_is_not_told_by_the_clocks_of_those_who_wrote_them(
        self, channel, broken_mail, settings, monkeypatch
    ):
        """Ids carry the time of whoever made them: here the first one came from a host whose clock is ahead."""
        ids = iter(["alr_7zzz", "alr_0000"])
        monkeypatch.setattr(alert_raising, "new_alert_id", lambda: next(ids))
        services.pause_channel(channel_id=channel.pk, reason="First.", by="grace")
        send_due()
        services.resume_channel(channel_id=channel.pk, by="grace")
        services.pause_channel(channel_id=channel.pk, reason="Second.", by="eve")
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_pass(minutes=2)
        assert send_due() == 1
        assert "Second." in mail.outbox[0].body
        assert AlertDelivery.objects.get(event="alr_7zzz").error == REPLACED

    def test_a_copy_waits_for_one_of_its_cause_that_is_on_its_way(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="First.", by="grace")
        (first,) = claim_alerts()
        services.resume_channel(channel_id=channel.pk, by="grace")
        services.pause_channel(channel_id=channel.pk, reason="Second.", by="eve")
        assert claim_alerts() == []
        waiting = AlertDelivery.objects.exclude(pk=first.delivery_id).get()
        assert (waiting.in_flight, waiting.attempts_made) == (False, 0)
        record([send(first)])
        assert claim_alerts() == []
        waiting.refresh_from_db()
        assert waiting.next_attempt_at == AlertDelivery.objects.get(pk=first.delivery_id).finished_at + timedelta(
            hours=1
        )
        assert (waiting.in_flight, waiting.attempts_made) == (False, 0)

    @pytest.mark.parametrize("no_longer", ["resumed", "deleted"])
    def test_what_is_no_longer_true_is_withdrawn(self, channel, no_longer):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        if no_longer == "resumed":
            services.resume_channel(channel_id=channel.pk, by="grace")
        else:
            services.archive_channel(channel_id=channel.pk, by="grace")
        assert send_due() == 0
        assert mail.outbox == []
        assert told() == [("paused", "administrators", "withdrawn")]

    @pytest.mark.parametrize("kind", FAILING_KINDS)
    def test_what_told_of_failing_is_withdrawn_once_the_channel_is_paused(self, channel, kind):
        failing(channel)
        alert_raising.write(kind, channel_id=channel.pk)
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert send_due() == 1
        assert told() == [(kind, "administrators", "withdrawn"), ("paused", "administrators", "sent")]


class TestWhenMailIsAway:
    def test_it_is_tried_again_after_growing_pauses_and_kept(self, channel, broken_mail):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        pauses = []
        for _ in range(8):
            before = timezone.now()
            assert send_due() == 0
            copy = AlertDelivery.objects.get()
            pauses.append(round((copy.next_attempt_at - before).total_seconds() / 60))
            assert send_due() == 0  # not before its time
            let_pass(days=1, minutes=1)
        assert pauses == [1, 4, 16, 64, 256, 1024, 1440, 1440]
        assert (copy.attempts_made, copy.error) == (8, "A fault of Tidings: ConnectionRefusedError.")
        assert monitoring.count().alerts_waiting == 1

    def test_it_goes_out_when_mail_is_back(self, channel, broken_mail, settings):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        send_due()
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_pass(minutes=2)
        assert send_due() == 1
        copy = AlertDelivery.objects.get()
        assert (copy.attempts_made, copy.error, copy.in_flight, len(mail.outbox)) == (2, "", False, 1)
        assert monitoring.count().alerts_waiting == 0

    def test_deliveries_go_on(self, engine, receiver, channel, broken_mail):
        receiver.answer = lambda request: 404
        for _ in range(5):
            make_delivery(channel)
        engine.deliver_due()
        assert send_due() == 0
        receiver.answer = lambda request: 200
        good = make_delivery(channel)
        ChannelHealth.objects.update(probe_at=None)
        make_due()
        engine.deliver_due()
        good.refresh_from_db()
        assert good.status == "succeeded"

    def test_a_run_asks_it_once_and_goes_on_with_others(self, broken_mail, receiver):
        make_target("Ops", receiver.url)
        for name in ("A", "B", "C"):
            each = create_channel(name=name, kind="postback", url="https://example.com/")
            services.pause_channel(channel_id=each.pk, reason="", by="grace")
        assert send_due() == 3
        mails = AlertDelivery.objects.filter(channel__system=True)
        assert sorted(mails.values_list("attempts_made", flat=True)) == [0, 0, 1]
        assert len(receiver.received) == 3

    def test_whatever_waits_it_is_asked_after_growing_pauses_and_gets_all_once_it_is_back(self, broken_mail, settings):
        for name in ("A", "B", "C"):
            each = create_channel(name=name, kind="postback", url="https://example.com/")
            services.pause_channel(channel_id=each.pk, reason="", by="grace")
        for minutes, tries in ((0.9, 1), (0.2, 2), (3.7, 2), (0.5, 3)):
            send_due()
            let_pass(minutes=minutes)
            send_due()
            assert sum(AlertDelivery.objects.values_list("attempts_made", flat=True)) == tries, minutes
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_pass(minutes=17)
        assert send_due() == 3
        assert AlertDelivery.objects.exclude(status="succeeded").count() == 0


class TestOneTargetAndAnother:
    def test_the_failure_of_one_neither_keeps_nor_repeats_that_of_another(self, channel, receiver):
        with Receiver() as well:
            receiver.answer = lambda request: 503
            make_target("Broken", receiver.url)
            make_target("Well", well.url)
            services.pause_channel(channel_id=channel.pk, reason="", by="grace")
            assert send_due() == 2
            for _ in range(3):
                let_pass(hours=5)
                assert send_due() == 0
            receiver.answer = lambda request: 200
            let_pass(days=1)
            assert send_due() == 1
            assert (len(receiver.received), len(well.received), len(mail.outbox)) == (5, 1, 1)
        bodies = {request.body for request in (*receiver.received, *well.received)}
        ids = {request.id for request in (*receiver.received, *well.received)}
        alert = Alert.objects.get()
        assert (bodies, ids) == ({alert.body.encode()}, {alert.pk})

    def test_one_that_hangs_keeps_nobody_waiting(self, channel, slow, released, engine):
        make_target("Slow", slow.url)
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        thread = threading.Thread(target=lambda: (engine.deliver_due(), connection.close()))
        thread.start()
        wait_until(lambda: slow.received and mail.outbox)
        other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        services.pause_channel(channel_id=other.pk, reason="", by="grace")
        wait_until(lambda: len(mail.outbox) == 2)
        assert len(slow.received) == 1
        released.set()
        thread.join(20)
        engine.deliver_due()
        assert [state for _, _, state in told()] == ["sent"] * 4

    def test_it_waits_neither_for_slots_nor_for_what_its_channel_waits_for(self, receiver):
        """All hangs that may, and nothing but a probe in an hour is meant for the target."""
        target = make_target("Ops", receiver.url)
        failing(target, failures=9, probe_at=timezone.now() + timedelta(hours=1))
        other = create_channel(name="Hanging", kind="postback", url=receiver.url)
        make_delivery(other)
        make_delivery(target)
        (hanging,) = claim(slots=1, slowed_slots=0)
        flights = Flights(64)
        for number in range(flights.most - ALERTS_AT_ONCE):
            flights.add(replace(hanging, attempt_id=f"att_{number}"))
        assert flights.room()["slots"] == 0
        services.pause_channel(channel_id=other.pk, reason="", by="grace")
        alerts = Alerts()
        assert claim(**flights.room(), alerts=alerts) == []
        claims = begin_alerts(alerts)
        assert sorted(each.channel.name for each in claims) == ["Administrators", "Ops"]
        for each in claims:
            flights.add(each)
        assert (flights.room()["slots"], flights.room()["alert_slots"]) == (0, ALERTS_AT_ONCE - 2)

    def test_what_is_refused_for_good_is_tried_three_times(self, channel, receiver):
        receiver.answer = lambda request: 404
        make_target("Revoked", receiver.url)
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        for _ in range(6):
            send_due()
            let_pass(days=1, minutes=1)
        assert len(receiver.received) == 3
        copy = AlertDelivery.objects.exclude(channel__system=True).get()
        assert (copy.attempts_made, copy.next_attempt_at, copy.status) == (3, None, "failed")
        assert (copy.withdrawn, copy.outcome) == (False, "http_error")
        assert copy.error.startswith("The receiver answered 404")
        assert monitoring.count().alerts_waiting == 0

    def test_what_may_be_taken_later_is_tried_again(self, channel, receiver):
        receiver.answer = lambda request: 429
        receiver.headers = {"Retry-After": "1800"}
        make_target("Busy", receiver.url)
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        before = timezone.now()
        send_due()
        copy = AlertDelivery.objects.exclude(channel__system=True).get()
        assert round((copy.next_attempt_at - before).total_seconds()) == 1800
        for _ in range(5):
            let_pass(days=1, minutes=1)
            send_due()
        assert len(receiver.received) == 6
        copy.refresh_from_db()
        assert copy.status == "pending"


class TestTwoAtOnce:
    def test_one_that_is_being_judged_or_written_by_another_comes_again_in_a_moment(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        lock = "SELECT pg_advisory_xact_lock(hashtextextended('alerts: a claim', 0))"
        for held in (lock, "SELECT FROM notifications_alert FOR UPDATE"):
            other = connection.copy()
            try:
                with other.cursor() as cursor:
                    cursor.execute(f"BEGIN; {held}")
                    assert claim_alerts() == []
                    cursor.execute("ROLLBACK")
            finally:
                other.close()
            copy = AlertDelivery.objects.get()
            assert (copy.in_flight, copy.attempts_made) == (False, 0)
            assert claim_alerts() == []
            let_pass(seconds=2)
        assert send_due() == 1

    def test_one_whose_alert_is_gone_is_withdrawn(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        Alert.objects.all()._raw_delete(using="default")
        assert claim_alerts() == []
        assert AlertDelivery.objects.get().withdrawn

    def test_each_is_sent_once(self, receiver):
        """Three processes."""
        make_target("Ops", receiver.url)
        for number in range(12):
            each = create_channel(name=f"Channel {number}", kind="postback", url="https://example.com/")
            services.pause_channel(channel_id=each.pk, reason="", by="grace")
        barrier = threading.Barrier(3)
        engines = [Engine() for _ in range(3)]

        def run(engine: Engine) -> None:
            barrier.wait(10)
            engine.deliver_due()
            connection.close()

        threads = [threading.Thread(target=run, args=[engine]) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for engine in engines:
            engine.stop()
            assert engine.join(20)
        assert AlertDelivery.objects.filter(status="succeeded").count() == 24
        assert len({message.subject for message in mail.outbox}) == len(mail.outbox) == 12
        assert len({request.id for request in receiver.received}) == len(receiver.received) == 12
        assert set(AlertDelivery.objects.values_list("attempts_made", flat=True)) == {1}

    def test_a_process_that_is_to_end_begins_with_no_further_one(self, channel, engine):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        engine.stop()
        engine.deliver_due()
        assert told() == [("paused", "administrators", "waits")]
        assert send_due() == 1

    def test_one_whose_process_died_is_taken_up_by_another_however_often(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        for number in range(1, 5):
            (dead,) = claim_alerts()
            assert dead.number == number
            assert send_due() == 0
            let_pass(minutes=6)
            assert recover() == 1
        assert Alert.objects.exclude(kind="paused").count() == 0
        assert send_due() == 1
        copy = AlertDelivery.objects.get()
        assert (copy.attempts_made, len(mail.outbox)) == (5, 1)
        # What the dead one would say, should it come back, is of long ago.
        before = AlertDelivery.objects.values().get()
        assert record([Result(dead, Answer(Outcome.TIMEOUT, error="Late."), 1)]) == 0
        assert AlertDelivery.objects.values().get() == before


def test_one_that_cannot_be_judged_keeps_no_other_from_it(channel, receiver, monkeypatch):
    make_target("Ops", receiver.url)
    other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
    for each in (channel, other):
        services.pause_channel(channel_id=each.pk, reason="", by="grace")
    real = turn.still_true
    monkeypatch.setattr(turn, "still_true", lambda alert: real(alert) if alert.channel == other else 1 / 0)
    assert send_due() == 2
    ill = AlertDelivery.objects.filter(event__alert__channel=channel)
    assert set(ill.values_list("status", "error", "attempts_made")) == {
        ("pending", "A fault of Tidings: ZeroDivisionError.", 0)
    }
    monkeypatch.undo()
    let_pass(minutes=2)
    assert send_due() == 2


def test_the_engine_gives_its_mind_to_deliveries_before_it_judges_alerts(channel, engine, receiver, monkeypatch):
    """The postback has arrived before the alerts that were claimed with it are judged."""
    other = create_channel(name="Other", kind="postback", url="https://example.com/")
    services.pause_channel(channel_id=other.pk, reason="", by="grace")
    make_delivery(channel)
    real = turn.pass_over
    arrived: list[int] = []

    def judge(delivery_ids: Sequence[str], *, lease_token: UUID) -> set[str]:
        arrived.append(wait_until(lambda: len(receiver.received)))
        passed: set[str] = real(delivery_ids, lease_token=lease_token)
        return passed

    monkeypatch.setattr(turn, "pass_over", judge)
    engine.deliver_due()
    assert arrived[0] == 1
    assert len(mail.outbox) == 1


def test_many_that_are_over_are_withdrawn_in_one_run(engine):
    for number in range(30):
        each = create_channel(name=f"Channel {number}", kind="postback", url="https://example.com/")
        services.pause_channel(channel_id=each.pk, reason="", by="grace")
        services.resume_channel(channel_id=each.pk, by="grace")
    engine.deliver_due()
    assert {state for _, _, state in told()} == {"withdrawn"}
    assert mail.outbox == []


def test_where_no_engine_takes_them_beat_has_them_sent(channel):
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    send_alerts()
    assert mail.outbox == []
    let_pass(minutes=2)
    send_alerts()
    assert len(mail.outbox) == 1


def test_what_a_worker_of_the_release_before_gave_up_is_sent(channel):
    """It finds no body: it ends as a fault of Tidings once its retries are used up."""
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    AlertDelivery.objects.update(
        status="failed", outcome="internal_error", next_attempt_at=None, finished_at=timezone.now(), attempts_made=4
    )
    send_alerts()
    assert send_due() == 1


def test_a_target_is_judged_at_its_turn(channel, receiver):
    names = ("Paused", "Deleted", "Left out", "Well")
    made = {name: make_target(name, receiver.url) for name in names}
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    services.pause_channel(channel_id=made["Paused"].pk, reason="", by="grace")
    services.archive_channel(channel_id=made["Deleted"].pk, by="grace")
    alert_targets.leave_out(channel_id=made["Left out"].pk, by="grace")
    send_due()
    copies = AlertDelivery.objects.filter(event__alert__channel=channel).exclude(channel__system=True)
    assert dict(copies.values_list("channel__name", "error")) == {
        "Paused": "The channel is paused.",
        "Deleted": "The channel was deleted.",
        "Left out": "The channel is no longer chosen for alerts.",
        "Well": "",
    }
    assert {copy.channel.name for copy in copies.filter(status="succeeded")} == {"Well"}
    assert [request.event["data"]["alert"]["title"] for request in receiver.received] == [
        "Warehouse was paused",
        "Paused was paused",
    ]


def test_a_target_whose_secret_is_lost_says_so_and_waits(channel, receiver, settings):
    target = make_target("Ops", receiver.url)
    settings.SECRETS_ENCRYPTION_KEYS = ["b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Q="]
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    assert send_due() == 1
    copy = AlertDelivery.objects.get(channel=target)
    assert copy.error.startswith("The secrets of this channel cannot be read")
    assert copy.next_attempt_at - timezone.now() > timedelta(seconds=30)
    assert receiver.received == []
