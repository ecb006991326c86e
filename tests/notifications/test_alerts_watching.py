"""Late deliveries, secrets that are lost, and what keeps the looking and the sending from each other."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core import mail
from django.db import OperationalError, connection
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alert_raising, retention, services
from notifications.alerts import watching, wording
from notifications.alerts.watching import late_deliveries, watch
from notifications.events import EVENT_TYPES
from notifications.models import Alert, AlertDelivery, ChannelBacklog, Delivery
from notifications.tasks import send_alerts
from tests.notifications.alerting import (
    failing,
    is_well,
    let_pass,
    look_and_send,
    make_administrator,
    make_target,
    send_due,
    told,
)
from tests.notifications.deliveries import claim_all, make_delivery
from tests.notifications.test_alerts_stages import at_once

pytestmark = pytest.mark.django_db(transaction=True)

TO_ALL = "administrators"


@pytest.fixture(autouse=True)
def administrator(db):
    return make_administrator()


@pytest.fixture(autouse=True)
def look_at_secrets_each_time(monkeypatch):
    monkeypatch.setattr(watching, "SECRETS_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(watching, "SHARE_OF_SECRETS", 0)
    monkeypatch.setattr(watching, "_secrets_at", 0.0)


def late(channel: Channel, *, seconds: float = 300) -> Delivery:
    return make_delivery(channel, next_attempt_at=timezone.now() - timedelta(seconds=seconds))


def pass_and_send(**duration: float) -> list[str]:
    """What is told after that much time."""
    let_pass(**duration)
    before = len(mail.outbox)
    look_and_send()
    return [message.subject.removeprefix("[Tidings] ") for message in mail.outbox[before:]]


LATE, ON_TIME = "Deliveries wait for too long", "Deliveries go out in time again"


class TestLateDeliveries:
    def test_they_are_told_at_once_after_an_hour_and_then_daily(self, channel):
        delivery = late(channel)
        assert pass_and_send() == [LATE]
        text = " ".join(mail.outbox[0].body.split())
        assert "The oldest due delivery has waited for 5 min, though nothing forbids it to be sent." in text
        assert delivery.pk in text
        assert pass_and_send(minutes=59) == []
        assert pass_and_send(minutes=2) == [LATE]
        assert pass_and_send(hours=23) == []
        assert pass_and_send(hours=1, minutes=1) == [LATE]
        assert pass_and_send(hours=23) == []
        assert pass_and_send(hours=1, minutes=1) == [LATE]

    def test_that_it_is_over_is_told_once(self, channel):
        late(channel)
        pass_and_send()
        Delivery.objects.all().delete()
        assert pass_and_send() == [ON_TIME]
        assert "they had been late since 20" in " ".join(mail.outbox[-1].body.split())
        assert pass_and_send(days=1) == []
        assert not Alert.objects.filter(open=True).exists()

    def test_what_is_not_too_late_is_not_told(self, channel):
        late(channel, seconds=119)
        assert pass_and_send() == []
        assert Alert.objects.count() == 0

    def test_what_is_over_before_its_turn_is_told_to_nobody(self, channel):
        late(channel)
        late_deliveries()
        Delivery.objects.all().delete()
        assert pass_and_send() == []
        assert pass_and_send() == []
        assert told() == [("overdue", TO_ALL, "withdrawn")]
        assert not Alert.objects.filter(open=True).exists()

    def test_coming_and_going_is_told_once_an_hour(self, channel):
        said = []
        for _ in range(6):
            late(channel)
            said += pass_and_send(minutes=1)
            Delivery.objects.all().delete()
            said += pass_and_send(minutes=1)
        assert said == [LATE, ON_TIME]
        late(channel)
        assert pass_and_send(minutes=50) == [LATE]

    def test_a_failing_or_paused_channel_is_not_late(self, channel):
        late(channel)
        failing(channel)
        assert pass_and_send() == []
        is_well(channel)
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert pass_and_send() == ["Warehouse was paused"]

    def test_of_two_at_once_one_tells(self, channel):
        late(channel)
        at_once(watch, 4)
        assert told() == [("overdue", TO_ALL, "waits")]
        look_and_send()
        let_pass(minutes=61)
        at_once(watch, 4)
        assert Alert.objects.count() == 2
        look_and_send()
        Delivery.objects.all().delete()
        at_once(watch, 4)
        assert Alert.objects.filter(kind="on_time").count() == 1

    def test_chosen_channels_are_told_too(self, channel, receiver):
        ops = make_target("Ops", receiver.url)
        late(ops)
        pass_and_send()
        assert [request.event["type"] for request in receiver.received] == ["alert.overdue"]
        assert receiver.received[0].event["data"]["alert"]["channel"] is None


SLOW, CAUGHT_UP = "Warehouse is slower than what comes in", "Warehouse has caught up"


class TestSlowReceivers:
    @pytest.fixture(autouse=True)
    def at_its_cap(self, channel, settings):
        settings.CHANNEL_CONCURRENCY = 1
        make_delivery(channel)
        assert len(claim_all()) == 1

    def comes_in(self, channel: Channel, number: int = 1, *, minutes: float = 0) -> None:
        for _ in range(number):
            late(channel, seconds=minutes * 60)

    def goes_out(self, number: int) -> None:
        waiting = Delivery.objects.filter(lease_token=None, status="pending").order_by("next_attempt_at")[:number]
        Delivery.objects.filter(pk__in=[each.pk for each in waiting]).delete()

    def test_one_that_falls_further_behind_is_told_once_and_that_it_has_caught_up(self, channel):
        self.comes_in(channel, 5, minutes=11)
        assert pass_and_send() == []  # nobody knows yet whether it grows
        self.comes_in(channel, 3)
        assert pass_and_send(seconds=30) == []  # too soon to say
        assert pass_and_send(seconds=31) == [SLOW]
        text = " ".join(mail.outbox[-1].body.split())
        assert "its oldest due delivery has waited for 12 min, and more deliveries wait than before" in text
        assert "raise CHANNEL_CONCURRENCY" in text
        for _ in range(5):
            self.comes_in(channel, 3)
            assert pass_and_send(hours=1) == []
        self.goes_out(100)
        assert pass_and_send() == [CAUGHT_UP]
        assert pass_and_send(days=1) == []
        assert not Alert.objects.filter(open=True).exists()
        self.comes_in(channel, 1, minutes=11)
        assert pass_and_send(hours=2) == []
        self.comes_in(channel, 1)
        assert pass_and_send(hours=2) == [SLOW]

    def test_a_backlog_that_shrinks_needs_nobody(self, channel):
        """A burst that came at one moment grows older until it is worked off."""
        self.comes_in(channel, 20, minutes=11)
        said = []
        for _ in range(8):
            said += pass_and_send(minutes=2)
            self.goes_out(2)
        assert said == []

    def test_what_is_not_late_or_not_at_its_cap_is_not_slow(self, channel):
        self.comes_in(channel, 5, minutes=8)
        assert pass_and_send() == []
        self.comes_in(channel, 5)
        assert pass_and_send(seconds=61) == []
        assert not ChannelBacklog.objects.exists()

    @pytest.mark.parametrize("state", ["paused", "failing", "deleted"])
    def test_what_has_another_cause_is_not_told_as_this(self, channel, state):
        self.comes_in(channel, 5, minutes=11)
        pass_and_send()
        self.comes_in(channel, 5)
        if state == "paused":
            services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        elif state == "failing":
            failing(channel)
        else:
            services.archive_channel(channel_id=channel.pk, by="grace")
        assert SLOW not in pass_and_send(minutes=5)

    def test_deleting_it_ends_what_was_told(self, channel):
        self.comes_in(channel, 5, minutes=11)
        pass_and_send()
        self.comes_in(channel, 5)
        assert pass_and_send(minutes=2) == [SLOW]
        services.archive_channel(channel_id=channel.pk, by="grace")
        assert pass_and_send(minutes=2) == []
        assert not Alert.objects.filter(open=True).exists()

    def test_paused_channels_that_hold_for_months_do_not_hide_it(self, channel):
        for number in range(25):
            paused = create_channel(name=f"Paused {number}", kind="postback", url="https://example.com/")
            late(paused, seconds=10_000_000)
            Channel.objects.filter(pk=paused.pk).update(paused_at=timezone.now())
        self.comes_in(channel, 5, minutes=11)
        pass_and_send()
        self.comes_in(channel, 5)
        assert pass_and_send(minutes=2) == [SLOW]

    def test_of_two_at_once_one_tells(self, channel):
        self.comes_in(channel, 5, minutes=11)
        at_once(watch, 4)
        let_pass(minutes=2)
        self.comes_in(channel, 5)
        at_once(watch, 4)
        assert Alert.objects.filter(kind="slow").count() == 1


class TestLostSecrets:
    def used(self, channel: Channel) -> None:
        services.attach_channel(
            event_type=EVENT_TYPES["order.completed"], channel_id=channel.pk, sources=["shop"], by="grace"
        )

    def lose_the_key(self, settings) -> list[str]:
        kept: list[str] = settings.SECRETS_ENCRYPTION_KEYS
        settings.SECRETS_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        return kept

    def test_a_channel_that_cannot_be_read_is_told_once_and_anew_after_it_was_readable(self, channel, settings):
        self.used(channel)
        assert pass_and_send() == []
        key = self.lose_the_key(settings)
        assert pass_and_send() == ["The secrets of Warehouse cannot be read"]
        assert "SECRETS_ENCRYPTION_KEYS" in mail.outbox[0].body
        assert pass_and_send(days=1) == []
        settings.SECRETS_ENCRYPTION_KEYS = key
        assert pass_and_send() == []
        assert not Alert.objects.filter(open=True).exists()
        self.lose_the_key(settings)
        assert pass_and_send(hours=1) == ["The secrets of Warehouse cannot be read"]

    @pytest.mark.parametrize("unused", ["attached to nothing", "paused", "deleted", "without secrets"])
    def test_one_that_is_sent_nothing_is_not_told(self, channel, settings, unused):
        if unused == "without secrets":
            mailing = create_channel(name="Mailing", kind="email", recipients=["ops@example.com"])
            self.used(mailing)
        elif unused != "attached to nothing":
            self.used(channel)
        if unused == "paused":
            services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        elif unused == "deleted":
            services.archive_channel(channel_id=channel.pk, by="grace")
        pass_and_send()
        self.lose_the_key(settings)
        assert pass_and_send() == []
        assert not Alert.objects.filter(kind="unreadable").exists()

    def test_a_channel_that_is_told_of_alerts_counts(self, receiver, settings):
        make_target("Ops", receiver.url)
        self.lose_the_key(settings)
        assert pass_and_send() == ["The secrets of Ops cannot be read"]

    def test_what_is_readable_again_at_its_turn_is_withdrawn(self, channel, settings):
        self.used(channel)
        key = self.lose_the_key(settings)
        watch()
        settings.SECRETS_ENCRYPTION_KEYS = key
        assert send_due() == 0
        assert told() == [("unreadable", TO_ALL, "withdrawn")]

    def test_of_two_at_once_one_tells(self, channel, settings):
        self.used(channel)
        self.lose_the_key(settings)
        at_once(watch, 3)
        assert Alert.objects.filter(kind="unreadable").count() == 1

    def test_it_is_looked_for_every_few_minutes(self, channel, settings, monkeypatch):
        monkeypatch.setattr(watching, "SECRETS_EVERY_SECONDS", 300.0)
        self.used(channel)
        watch()
        self.lose_the_key(settings)
        watch()
        assert Alert.objects.count() == 0
        monkeypatch.setattr(watching, "_secrets_at", 0.0)
        watch()
        assert Alert.objects.count() == 1


class TestTheTask:
    def test_a_fault_in_looking_keeps_nothing_from_being_sent(self, channel, monkeypatch):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        monkeypatch.setattr(watching, "late_deliveries", lambda: 1 / 0)
        assert look_and_send() == 1

    def test_postgresql_that_is_away_ends_nothing(self, channel, monkeypatch):
        def away(*_: object) -> None:
            raise OperationalError("the connection is lost")

        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        with monkeypatch.context() as broken:
            broken.setattr("notifications.alerts.stages.next_steps", away)
            send_alerts()
            broken.setattr("notifications.alerts.turn.still_true", away)
            assert send_due() == 0
        assert told() == [("paused", TO_ALL, "waits")]
        assert send_due() == 0
        let_pass(minutes=2)
        assert look_and_send() == 1

    def test_a_session_that_postgresql_ended_is_replaced(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        end_session(pid)
        send_alerts()
        connection.close()
        look_and_send()
        assert told() == [("paused", TO_ALL, "sent")]
        assert len(mail.outbox) == 1

    def test_an_alert_that_cannot_be_put_in_words_is_told_in_few(self, channel, monkeypatch):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        monkeypatch.setattr(wording, "facts_of", lambda alert: 1 / 0)
        assert look_and_send() == 1
        assert mail.outbox[0].subject == "[Tidings] Warehouse was paused"

    def test_looking_costs_a_few_queries_while_all_is_well(self, channel, django_assert_num_queries, monkeypatch):
        monkeypatch.setattr(watching, "_secrets_at", float("inf"))
        make_delivery(channel)
        with django_assert_num_queries(4):
            watch()


def end_session(pid: int) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    finally:
        other.close()


class TestForgetting:
    def test_old_alerts_go_with_their_copies_and_those_of_what_lasts_stay(self, channel, settings):
        settings.RETENTION_DAYS = 30
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        services.pause_channel(channel_id=other.pk, reason="", by="grace")
        look_and_send()
        let_pass(days=31)
        retention.purge()
        assert told() == [("failing", TO_ALL, "sent")]
        is_well(channel)
        assert pass_and_send() == ["Warehouse has recovered"]
        assert pass_and_send() == []
        retention.purge()
        assert told() == [("recovered", TO_ALL, "sent")]
        assert AlertDelivery.objects.count() == 1
