"""What administrators are told by e-mail, and how often."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import alerts, services
from notifications.models import Alert, ChannelHealth, Delivery
from tests.notifications.deliveries import make_delivery, make_due

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def administrator(db) -> User:
    group, _ = Group.objects.get_or_create(name="Notification administrators")
    user = User.objects.create_user("ada", email="ada@example.com")
    user.groups.add(group)
    return user


class BrokenMail(EmailBackend):
    """A mail server that is away."""

    def send_messages(self, messages) -> int:
        raise ConnectionRefusedError("Connection refused")


@pytest.fixture
def broken_mail(settings):
    settings.EMAIL_BACKEND = f"{__name__}.BrokenMail"


def failing(channel: Channel, failures: int = 5, **fields) -> ChannelHealth:
    return ChannelHealth.objects.create(channel=channel, failures_in_row=failures, **fields)


def let_pass(**duration) -> None:
    """As if this much time had passed since everything that is stored of alerts."""
    gone = timedelta(**duration)
    Alert.objects.update(sent_at=F("sent_at") - gone, next_try_at=F("next_try_at") - gone)


def test_the_fifth_failure_in_a_row_is_told_once(engine, receiver, channel, settings):
    settings.PUBLIC_URL = "https://tidings.example.com"
    receiver.answer = lambda request: 404
    for _ in range(4):
        make_delivery(channel)
    engine.deliver_due()
    assert Alert.objects.count() == 0
    for _ in range(3):
        make_delivery(channel)
        ChannelHealth.objects.update(probe_at=None)
        engine.deliver_due()
    assert Delivery.objects.filter(status="failed").count() == 7
    assert alerts.send_due() == 1
    (message,) = mail.outbox
    assert message.subject == "[Tidings] Warehouse keeps failing"
    assert message.to == ["ada@example.com"]
    assert "The channel Warehouse has failed 7 times in a row, since 20" in message.body
    assert f"Address: {receiver.url}\n" in message.body
    assert "Latest failure: The receiver answered 404" in message.body
    assert f"https://tidings.example.com/admin/channels_app/channel/{channel.pk.replace('_', '_5F')}/" in message.body
    alert = Alert.objects.get()
    assert (alert.kind, alert.tries, alert.error, alert.next_try_at) == ("failing", 1, "", None)
    assert alert.sent_at is not None
    assert alerts.send_due() == 0


def test_a_pause_by_a_person_says_who_and_why(channel):
    services.pause_channel(channel_id=channel.pk, reason="Moving house.", by="grace")
    assert alerts.send_due() == 1
    (message,) = mail.outbox
    assert message.subject == "[Tidings] Warehouse was paused"
    assert "The channel Warehouse was paused by grace at " in message.body
    assert "Reason: Moving house.\n" in message.body
    assert "they are held" in message.body
    assert "You find it in Tidings under Channels, Warehouse." in message.body


def test_pausing_what_is_paused_tells_nothing(channel):
    services.pause_channel(channel_id=channel.pk, reason="Moving house.", by="grace")
    alerts.send_due()
    services.pause_channel(channel_id=channel.pk, reason="Still moving.", by="grace")
    assert Alert.objects.count() == 1


def test_an_answer_of_410_is_told_as_a_pause_by_tidings(engine, receiver, channel):
    receiver.answer = lambda request: 410
    make_delivery(channel)
    engine.deliver_due()
    assert alerts.send_due() == 1
    assert "was paused by Tidings" in mail.outbox[0].body
    assert "Reason: The receiver answered 410 Gone" in mail.outbox[0].body


def test_no_secret_and_no_second_header_reaches_the_mail(channel):
    Channel.objects.update(
        name="Ware\nBcc: all@example.com", url="https://user:pass@example.com:8443/hook?token=s3cret#x"
    )
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    assert alerts.send_due() == 1
    (message,) = mail.outbox
    assert message.subject == "[Tidings] Ware Bcc: all@example.com was paused"
    assert "Address: https://example.com:8443/hook\n" in message.body
    for secret in ("s3cret", "pass@", channel.secret):
        assert secret not in message.message().as_string()


class TestRecipients:
    def test_active_members_with_an_address_each_once(self, administrator):
        group = Group.objects.get(name="Notification administrators")
        for name, email, active in (
            ("eve", "eve@example.com", True),
            ("twin", "eve@example.com", True),
            ("left", "left@example.com", False),
            ("mute", "", True),
        ):
            User.objects.create_user(name, email=email, is_active=active).groups.add(group)
        User.objects.create_superuser("root", email="root@example.com")
        User.objects.create_user("clerk", email="clerk@example.com", is_staff=True)
        assert alerts.recipients() == ["ada@example.com", "eve@example.com"]

    def test_superusers_where_the_group_has_nobody_with_an_address(self, administrator):
        User.objects.create_superuser("root", email="root@example.com")
        administrator.email = ""
        administrator.save()
        assert alerts.recipients() == ["root@example.com"]

    def test_nobody_at_all_keeps_the_alert(self, administrator, channel):
        administrator.delete()
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert alerts.send_due() == 0
        alert = Alert.objects.get()
        assert alert.error == alerts.NOBODY
        assert alert.next_try_at > timezone.now()
        User.objects.create_superuser("root", email="root@example.com")
        let_pass(minutes=2)
        assert alerts.send_due() == 1


class TestHowOften:
    def test_a_flapping_channel_is_told_once_an_hour_and_only_while_it_fails(self, channel):
        health = failing(channel)
        alerts.channel_failing(channel_id=channel.pk)
        assert alerts.send_due() == 1
        for _ in range(3):
            alerts.channel_failing(channel_id=channel.pk)
        assert Alert.objects.filter(sent_at=None).count() == 1
        assert alerts.send_due() == 0
        let_pass(minutes=59)
        assert alerts.send_due() == 0
        let_pass(minutes=2)
        assert alerts.send_due() == 1
        assert len(mail.outbox) == 2

        alerts.channel_failing(channel_id=channel.pk)
        health.failures_in_row = 0
        health.save()
        let_pass(hours=2)
        assert alerts.send_due() == 0
        assert len(mail.outbox) == 2
        assert Alert.objects.filter(withdrawn_at__isnull=False).count() == 1

    def test_causes_do_not_wait_for_each_other(self, channel):
        other = create_channel(name="Mailing", kind="postback", url="https://example.com/")
        for each in (channel, other):
            failing(each)
            alerts.channel_failing(channel_id=each.pk)
        assert alerts.send_due() == 2
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert alerts.send_due() == 1
        assert sorted(message.subject for message in mail.outbox) == [
            "[Tidings] Mailing keeps failing",
            "[Tidings] Warehouse keeps failing",
            "[Tidings] Warehouse was paused",
        ]

    def test_a_waiting_alert_takes_the_newer_facts(self, channel):
        services.pause_channel(channel_id=channel.pk, reason="First.", by="grace")
        services.resume_channel(channel_id=channel.pk, by="grace")
        services.pause_channel(channel_id=channel.pk, reason="Second.", by="eve")
        assert alerts.send_due() == 1
        assert "paused by eve" in mail.outbox[0].body
        assert "Reason: Second." in mail.outbox[0].body

    @pytest.mark.parametrize("no_longer", ["resumed", "deleted"])
    def test_what_is_no_longer_true_is_withdrawn(self, channel, no_longer):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        if no_longer == "resumed":
            services.resume_channel(channel_id=channel.pk, by="grace")
        else:
            services.archive_channel(channel_id=channel.pk, by="grace")
        assert alerts.send_due() == 0
        assert mail.outbox == []
        assert Alert.objects.get().withdrawn_at is not None


class TestWhenMailIsAway:
    def test_it_is_tried_again_after_growing_pauses_and_kept(self, channel, broken_mail):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        pauses = []
        for _ in range(8):
            before = timezone.now()
            assert alerts.send_due() == 0
            alert = Alert.objects.get()
            pauses.append(round((alert.next_try_at - before).total_seconds() / 60))
            assert alerts.send_due() == 0  # not before its time
            let_pass(days=1, minutes=1)
        assert pauses == [1, 4, 16, 64, 256, 1024, 1440, 1440]
        assert (alert.tries, alert.error) == (8, "ConnectionRefusedError: Connection refused")

    def test_it_goes_out_when_mail_is_back(self, channel, broken_mail, settings):
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        alerts.send_due()
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        let_pass(minutes=2)
        assert alerts.send_due() == 1
        alert = Alert.objects.get()
        assert (alert.tries, alert.error, len(mail.outbox)) == (2, "", 1)

    def test_deliveries_go_on(self, engine, receiver, channel, broken_mail):
        receiver.answer = lambda request: 404
        for _ in range(5):
            make_delivery(channel)
        engine.deliver_due()
        assert alerts.send_due() == 0
        receiver.answer = lambda request: 200
        good = make_delivery(channel)
        ChannelHealth.objects.update(probe_at=None)
        make_due()
        engine.deliver_due()
        good.refresh_from_db()
        assert good.status == "succeeded"

    def test_a_run_stops_at_the_first_that_cannot_be_sent(self, broken_mail):
        for name in ("A", "B", "C"):
            each = create_channel(name=name, kind="postback", url="https://example.com/")
            services.pause_channel(channel_id=each.pk, reason="", by="grace")
        assert alerts.send_due() == 0
        assert sorted(Alert.objects.values_list("tries", flat=True)) == [0, 0, 1]


def test_two_at_once_send_each_alert_once(monkeypatch):
    """Two processes: the lock within one is taken away."""

    class NoLock:
        def acquire(self, blocking: bool) -> bool:
            return True

        def release(self) -> None: ...

    monkeypatch.setattr(alerts, "_one_at_a_time", NoLock())
    for number in range(12):
        each = create_channel(name=f"Channel {number}", kind="postback", url="https://example.com/")
        services.pause_channel(channel_id=each.pk, reason="", by="grace")
    barrier = threading.Barrier(3)
    sent: list[int] = []

    def run() -> None:
        barrier.wait(10)
        sent.append(alerts.send_due())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(sent) == 12
    assert len({message.subject for message in mail.outbox}) == len(mail.outbox) == 12


def test_within_a_process_one_call_runs_at_a_time(channel):
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    with alerts._one_at_a_time:
        assert alerts.send_due() == 0
    assert alerts.send_due() == 1


def test_an_undone_pause_tells_nobody(channel):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert Alert.objects.count() == 1
        raise ZeroDivisionError
    assert Alert.objects.count() == 0
    assert alerts.send_due() == 0
