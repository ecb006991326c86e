"""A channel that goes on failing is warned of, paused after days, and told of when it has recovered."""

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.utils import timezone

from backoffice.banners import banners_for
from channels_app.models import Channel
from notifications import alert_raising, services
from notifications.alerts import stages
from notifications.alerts.facts import in_zone
from notifications.alerts.watching import failing_channels, recovered_channels, watch
from notifications.delivery.record import record
from notifications.delivery.send import send
from notifications.display import exact_time
from notifications.models import Alert, AlertDelivery, ChannelHealth, HistoryEntry
from notifications.tasks import send_alerts
from tests.notifications.alerting import (
    claim_alerts,
    failing,
    fails_again,
    is_well,
    let_pass,
    look_and_send,
    make_administrator,
    make_target,
    told,
)
from tests.notifications.deliveries import make_delivery
from tests.servers.receiver import Receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TO_ALL = "administrators"


@pytest.fixture(autouse=True)
def administrator(db):
    return make_administrator()


@pytest.fixture(autouse=True)
def five_days(settings):
    settings.PAUSE_FAILING_AFTER_DAYS = 5


def begins_to_fail(channel: Channel) -> None:
    failing(channel)
    alert_raising.channel_failing(channel_id=channel.pk)
    assert look_and_send() == 1


def days_later(days: float, channel: Channel | None = None) -> list[str]:
    """What is told once so many days have passed, at the end of which the channel, if given, has failed again."""
    let_pass(days=days)
    if channel:
        fails_again(channel)
    before = set(AlertDelivery.objects.filter(status="succeeded").values_list("pk", flat=True))
    look_and_send()
    sent = AlertDelivery.objects.filter(status="succeeded").exclude(pk__in=before).order_by("event_id")
    return list(sent.values_list("event__alert__kind", flat=True))


class TestStages:
    def test_two_warnings_then_a_pause(self, channel):
        begins_to_fail(channel)
        assert days_later(0.9, channel) == []
        assert days_later(0.2, channel) == ["still_failing"]
        assert days_later(2.8, channel) == []
        assert days_later(0.2, channel) == ["last_warning"]
        assert days_later(0.5, channel) == []
        assert ChannelHealth.objects.get().stage == "last_warned"
        assert days_later(0.51, channel) == ["paused"]
        channel.refresh_from_db()
        since = in_zone(ChannelHealth.objects.get().failing_since)
        assert channel.pause_reason == (
            f"It had failed since {since}, 11 times in a row. Everything is held. Mend the receiver or correct the "
            "address, send a test, then resume the channel. Latest failure: The receiver answered 503."
        )
        assert channel.paused_at is not None
        entry = HistoryEntry.objects.get()
        assert (entry.action, entry.by, entry.channel_id) == ("paused", "Tidings", channel.pk)
        assert [message.subject for message in mail.outbox] == [
            "[Tidings] Warehouse keeps failing",
            "[Tidings] Warehouse still fails",
            "[Tidings] Warehouse will be paused if it goes on failing",
            "[Tidings] Warehouse was paused",
        ]
        assert days_later(10) == []

    def test_the_warnings_say_when_it_is_paused(self, channel):
        begins_to_fail(channel)
        days_later(1.1, channel)
        health = ChannelHealth.objects.select_related("channel").get()
        at = stages.pauses_at(health)
        assert at == health.failing_since + timedelta(days=5)
        assert f"warned once more, and Tidings pauses it at {in_zone(at)}." in " ".join(mail.outbox[-1].body.split())
        days_later(3.2, channel)
        health.refresh_from_db()
        at = stages.pauses_at(health)
        assert at == health.stage_at + timedelta(days=1)
        assert f"if it goes on failing, Tidings pauses it at {in_zone(at)}." in " ".join(mail.outbox[-1].body.split())
        assert any(
            banner.text.endswith(f"If it goes on, Tidings pauses it at {exact_time(at)}.")
            for banner in banners_for(User.objects.create_superuser("root"))
        )

    def test_a_target_that_was_away_is_told_the_latest_only(self, channel, receiver):
        make_target("Away", receiver.url)
        receiver.answer = lambda request: 503
        begins_to_fail(channel)
        days_later(1.1, channel)
        days_later(3.2, channel)
        receiver.answer = lambda request: 200
        before = len(receiver.received)
        days_later(0.1)
        assert [request.event["type"] for request in receiver.received[before:]] == ["alert.last_warning"]
        assert [(kind, how) for kind, target, how in told() if target == "Away"] == [
            ("failing", "withdrawn"),
            ("still_failing", "withdrawn"),
            ("last_warning", "sent"),
        ]

    def test_a_channel_to_which_nothing_is_sent_is_left_alone(self, channel):
        begins_to_fail(channel)
        assert days_later(30) == []
        channel.refresh_from_db()
        assert channel.paused_at is None

    def test_never_paused_without_a_last_warning_a_fifth_of_the_time_before(self, channel):
        begins_to_fail(channel)
        assert days_later(30, channel) == ["last_warning"]
        assert days_later(0.9, channel) == []
        assert days_later(0.2, channel) == ["paused"]

    def test_each_stage_takes_a_failure_after_the_one_before(self, channel):
        begins_to_fail(channel)
        assert days_later(1.1, channel) == ["still_failing"]
        assert days_later(3.5) == []
        assert days_later(0, channel) == ["last_warning"]
        assert days_later(2) == []
        assert days_later(0, channel) == ["paused"]

    def test_a_restart_between_stages_forgets_nothing(self, channel, subprocess_environment):
        def another_process() -> None:
            code = (
                "import django; django.setup(); from datetime import timedelta;"
                "from notifications import alert_raising; alert_raising.TOGETHER_WITHIN = timedelta();"
                "from tests.notifications.alerting import look_and_send; look_and_send()"
            )
            subprocess.run([sys.executable, "-c", code], env=subprocess_environment, check=True, capture_output=True)

        begins_to_fail(channel)
        let_pass(days=1.1)
        fails_again(channel)
        another_process()
        another_process()
        let_pass(days=3)
        fails_again(channel)
        another_process()
        let_pass(days=1.1)
        fails_again(channel)
        another_process()
        assert told() == [
            ("failing", TO_ALL, "sent"),
            ("still_failing", TO_ALL, "sent"),
            ("last_warning", TO_ALL, "sent"),
            ("paused", TO_ALL, "sent"),
        ]

    def test_zero_days_are_never(self, channel, settings):
        settings.PAUSE_FAILING_AFTER_DAYS = 0
        begins_to_fail(channel)
        for _ in range(5):
            assert days_later(10, channel) == []
        assert stages.pauses_at(ChannelHealth.objects.get()) is None
        assert "You are not told again until it has recovered." in mail.outbox[0].body

    def test_a_success_begins_anew(self, channel, receiver, engine):
        begins_to_fail(channel)
        days_later(4.5, channel)
        assert ChannelHealth.objects.get().stage == "last_warned"
        make_delivery(channel)
        ChannelHealth.objects.update(probe_at=None)
        engine.deliver_due()
        health = ChannelHealth.objects.get()
        assert (health.stage, health.stage_at, health.last_failed_at) == ("", None, None)
        assert days_later(0) == ["recovered"]
        receiver.answer = lambda request: 404
        for _ in range(5):
            make_delivery(channel)
        engine.deliver_due()
        health = ChannelHealth.objects.get()
        assert (health.stage, health.failures_in_row) == ("failing", 5)
        assert health.stage_at == health.last_failed_at
        assert told()[-1] == ("failing", TO_ALL, "sent")
        assert days_later(1, channel) == ["still_failing"]

    def test_resuming_begins_anew_with_the_next_failure(self, channel):
        begins_to_fail(channel)
        days_later(5, channel)
        assert days_later(1.1, channel) == ["paused"]
        services.resume_channel(channel_id=channel.pk, by="grace")
        assert days_later(3) == []
        assert days_later(0, channel) == ["failing"]
        health = ChannelHealth.objects.select_related("channel").get()
        assert stages.pauses_at(health) == health.channel.resumed_at + timedelta(days=5)
        # Three days of the time have passed since the resumption: the first warning takes a failure after this one.
        assert days_later(0) == []
        assert days_later(0, channel) == ["still_failing"]
        assert days_later(1.1, channel) == ["last_warning"]

    @pytest.mark.parametrize("meanwhile", ["paused", "deleted"])
    def test_a_paused_or_deleted_channel_has_no_stages(self, channel, meanwhile):
        begins_to_fail(channel)
        if meanwhile == "paused":
            services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        else:
            services.archive_channel(channel_id=channel.pk, by="grace")
        assert "still_failing" not in days_later(2, channel)
        assert ChannelHealth.objects.get().stage == "failing"

    def test_a_long_error_leaves_room_for_what_to_do(self, channel):
        failing(channel, latest_error="x" * 2000, stage="last_warned", stage_at=timezone.now())
        let_pass(days=6)
        fails_again(channel)
        failing_channels()
        channel.refresh_from_db()
        assert len(channel.pause_reason) == 500
        assert "then resume the channel. Latest failure: xxx" in channel.pause_reason

    def test_hundreds_of_failing_channels_cost_one_query_while_nothing_is_to_be_done(self, django_assert_num_queries):
        channels = Channel.objects.bulk_create(
            Channel(name=f"C{number}", kind="postback", url="https://example.com/") for number in range(300)
        )
        now = timezone.now()
        ChannelHealth.objects.bulk_create(
            ChannelHealth(
                channel=channel,
                failures_in_row=9,
                failing_since=now,
                last_failed_at=now,
                stage="failing",
                stage_at=now,
            )
            for channel in channels
        )
        with django_assert_num_queries(1):
            failing_channels()
        with django_assert_num_queries(1):
            recovered_channels()


class TestTwoAtOnce:
    def test_each_step_is_taken_once(self, channel):
        begins_to_fail(channel)
        for days, kind in ((1.1, "still_failing"), (3.2, "last_warning"), (1.1, "paused")):
            let_pass(days=days)
            fails_again(channel)
            at_once(watch, 4)
            assert Alert.objects.filter(kind=kind).count() == 1, kind
        assert Alert.objects.count() == 4
        assert HistoryEntry.objects.count() == 1

    def test_a_recovery_is_told_once(self, channel):
        begins_to_fail(channel)
        is_well(channel)
        at_once(send_alerts, 4)
        look_and_send()
        assert told() == [("failing", TO_ALL, "sent"), ("recovered", TO_ALL, "sent")]

    def test_a_delivery_that_arrives_at_the_last_moment_prevents_the_pause(self, channel):
        """The pause waits for the row of the health that the success holds, and then looks again."""
        failing(channel, stage="last_warned", stage_at=timezone.now())
        let_pass(days=6)
        fails_again(channel)
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            is_well(channel)
            thread = threading.Thread(target=lambda: (failing_channels(), connection.close()))
            thread.start()
            wait_for_a_lock()
            cursor.execute("COMMIT")
        thread.join(20)
        channel.refresh_from_db()
        assert (channel.paused_at, Alert.objects.count()) == (None, 0)


class TestRecovered:
    def test_it_is_told_to_those_who_were_told_that_it_fails(self, channel, receiver):
        begins_to_fail(channel)
        make_target("Late", receiver.url)  # chosen after it was told that the channel fails
        is_well(channel)
        assert days_later(0.01) == ["recovered"]
        assert [message.subject for message in mail.outbox][1:] == ["[Tidings] Warehouse has recovered"]
        assert "It had failed since 20" in " ".join(mail.outbox[-1].body.split())
        assert receiver.received == []
        assert days_later(1) == []
        assert not Alert.objects.filter(open=True).exists()

    def test_nobody_is_told_who_was_not_told_that_it_fails(self, channel):
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        is_well(channel)
        for _ in range(3):
            assert look_and_send() == 0
        assert told() == [("failing", TO_ALL, "withdrawn")]
        assert mail.outbox == []
        assert not Alert.objects.filter(open=True).exists()

    def test_a_target_that_was_away_is_not_told_of_the_end_alone(self, channel, receiver):
        receiver.answer = lambda request: 503
        make_target("Away", receiver.url)
        begins_to_fail(channel)
        is_well(channel)
        for _ in range(3):
            look_and_send()
        assert told() == [
            ("failing", TO_ALL, "sent"),
            ("failing", "Away", "withdrawn"),
            ("recovered", TO_ALL, "sent"),
        ]
        assert len(receiver.received) == 1

    def test_one_that_is_on_its_way_is_waited_for(self, channel):
        """The channel recovers while the mail that it fails is being sent."""
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        (claimed,) = claim_alerts()
        is_well(channel)
        assert look_and_send() == 0
        assert Alert.objects.count() == 1
        record([send(claimed)])
        assert look_and_send() == 1
        assert told() == [("failing", TO_ALL, "sent"), ("recovered", TO_ALL, "sent")]

    def test_a_paused_channel_has_not_recovered_until_it_is_resumed_and_well(self, channel):
        begins_to_fail(channel)
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        is_well(channel)
        assert days_later(0.1) == ["paused"]
        services.resume_channel(channel_id=channel.pk, by="grace")
        assert days_later(0.1) == ["recovered"]

    def test_in_an_hour_of_flapping_the_last_word_is_how_it_is(self, channel):
        begins_to_fail(channel)
        is_well(channel)
        assert look_and_send() == 1  # recovered
        ChannelHealth.objects.all().delete()
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        assert look_and_send() == 0  # an hour after the one before
        is_well(channel)
        look_and_send()
        assert told()[-1] == ("failing", TO_ALL, "withdrawn")
        assert days_later(1) == []
        assert [message.subject for message in mail.outbox] == [
            "[Tidings] Warehouse keeps failing",
            "[Tidings] Warehouse has recovered",
        ]

    def test_a_recovery_that_came_too_soon_to_be_told_is_told_when_it_lasts(self, channel):
        begins_to_fail(channel)
        is_well(channel)
        assert look_and_send() == 1
        let_pass(minutes=61)
        ChannelHealth.objects.all().delete()
        failing(channel)
        alert_raising.channel_failing(channel_id=channel.pk)
        assert look_and_send() == 1
        AlertDelivery.objects.filter(event__alert__kind="recovered").update(
            finished_at=timezone.now() - timedelta(minutes=30)
        )
        AlertDelivery.objects.filter(event__alert__kind="failing").update(
            finished_at=timezone.now() - timedelta(minutes=20)
        )
        is_well(channel)
        assert look_and_send() == 0
        fails_again(channel)
        ChannelHealth.objects.update(failures_in_row=5, stage="failing", stage_at=timezone.now())
        let_pass(minutes=31)
        assert look_and_send() == 0
        assert told()[-1] == ("recovered", TO_ALL, "withdrawn")
        is_well(channel)
        assert look_and_send() == 1
        assert told()[-1] == ("recovered", TO_ALL, "sent")

    def test_a_deleted_channel_is_told_of_no_more(self, channel):
        begins_to_fail(channel)
        services.archive_channel(channel_id=channel.pk, by="grace")
        assert days_later(1) == []
        assert not Alert.objects.filter(open=True).exists()


def test_the_whole_way_with_a_real_receiver(engine, channel, receiver):
    """Fails, is warned of, paused with everything held, resumed and well."""
    with Receiver() as ops:
        make_target("Ops", ops.url)
        receiver.answer = lambda request: 503

        def fail_again() -> None:
            ChannelHealth.objects.update(probe_at=None)
            make_delivery(channel)
            engine.deliver_due()

        for _ in range(5):
            make_delivery(channel)
        engine.deliver_due()
        look_and_send()
        for days in (1.1, 3, 1.1):
            let_pass(days=days)
            fail_again()
            look_and_send()
        held = make_delivery(channel)
        engine.deliver_due()
        held.refresh_from_db()
        assert held.shown_status == "held"
        receiver.answer = lambda request: 200
        services.resume_channel(channel_id=channel.pk, by="grace")
        engine.deliver_due()
        held.refresh_from_db()
        assert held.status == "succeeded"
        look_and_send()
        kinds = ["failing", "still_failing", "last_warning", "paused", "recovered"]
        assert [request.event["type"] for request in ops.received] == [f"alert.{kind}" for kind in kinds]
        assert [message.subject.removeprefix("[Tidings] ") for message in mail.outbox] == [
            request.event["data"]["alert"]["title"] for request in ops.received
        ]


def at_once(call, times: int) -> None:
    barrier = threading.Barrier(times)

    def run() -> None:
        barrier.wait(10)
        call()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def wait_for_a_lock() -> None:
    """Until another session waits for one."""

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(cursor.fetchone()[0])

    wait_until(waits)
