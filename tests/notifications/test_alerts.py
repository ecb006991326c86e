"""What administrators are told by e-mail, and what is said."""

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import transaction
from django.utils import timezone

from channels_app.models import Channel
from notifications import alert_raising, alert_targets, services
from notifications.models import Alert, AlertDelivery, ChannelHealth, Delivery
from tests.notifications.alerting import failing, let_pass, make_administrator, send_due
from tests.notifications.deliveries import make_delivery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def administrator(db) -> User:
    return make_administrator()


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
    (message,) = mail.outbox
    assert message.subject == "[Tidings] Warehouse keeps failing"
    assert message.to == ["ada@example.com"]
    assert "The channel Warehouse has failed 5 times in a row, since 20" in message.body
    assert "you are warned twice more, and after 5 days Tidings pauses the channel" in " ".join(message.body.split())
    for fact in ("Warehouse (Postback)", receiver.url, "The receiver answered 404"):
        assert fact in message.body
    assert f"https://tidings.example.com/admin/channels_app/channel/{channel.pk.replace('_', '_5F')}/" in message.body
    copy = AlertDelivery.objects.get()
    assert (copy.event.alert.kind, copy.attempts_made, copy.error, copy.next_attempt_at) == ("failing", 1, "", None)
    assert (copy.status, copy.attempts.count()) == ("succeeded", 1)
    assert send_due() == 0


def test_a_pause_by_a_person_says_who_and_why(channel):
    make_delivery(channel)
    services.pause_channel(channel_id=channel.pk, reason="Moving house.", by="grace")
    assert send_due() == 1
    (message,) = mail.outbox
    text = " ".join(message.body.split())
    assert message.subject == "[Tidings] Warehouse was paused"
    assert "The channel Warehouse was paused by grace at " in text
    assert "Moving house." in text
    assert "they are held" in text
    assert "You find it in Tidings under Channels, Warehouse." in text
    assert Alert.objects.get().words["facts"][-1] == ["Held deliveries", "1"]


def test_pausing_what_is_paused_tells_nothing(channel):
    services.pause_channel(channel_id=channel.pk, reason="Moving house.", by="grace")
    send_due()
    services.pause_channel(channel_id=channel.pk, reason="Still moving.", by="grace")
    assert Alert.objects.count() == 1


def test_an_answer_of_410_is_told_as_a_pause_by_tidings(engine, receiver, channel):
    receiver.answer = lambda request: 410
    make_delivery(channel)
    engine.deliver_due()
    assert "was paused by Tidings" in mail.outbox[0].body
    assert "The receiver answered 410 Gone" in mail.outbox[0].body


def test_no_secret_and_no_second_header_reaches_the_mail(channel):
    Channel.objects.update(
        name="Ware\nBcc: all@example.com", url="https://user:pass@example.com:8443/hook?token=s3cret#x"
    )
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    assert send_due() == 1
    (message,) = mail.outbox
    assert message.subject == "[Tidings] Ware Bcc: all@example.com was paused"
    assert "https://example.com:8443/hook" in message.body
    alert = Alert.objects.get()
    for secret in ("s3cret", "pass@", channel.secret):
        assert secret not in message.message().as_string()
        assert secret not in f"{alert.body} {alert.words}"


def test_of_a_slack_channel_the_masked_address_is_told():
    slack = services.create_channel(name="Ops", kind="slack", url="https://hooks.slack.com/services/T/B/s3cret", by="x")
    services.pause_channel(channel_id=slack.pk, reason="", by="grace")
    assert send_due() == 1
    assert ["Address", "https://hooks.slack.com/********"] in Alert.objects.get().words["facts"]
    assert "s3cret" not in mail.outbox[0].message().as_string()


def test_an_undone_pause_tells_nobody(channel):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        assert (Alert.objects.count(), AlertDelivery.objects.count()) == (1, 1)
        raise ZeroDivisionError
    assert (Alert.objects.count(), AlertDelivery.objects.count()) == (0, 0)
    assert send_due() == 0


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
        assert alert_targets.recipients() == ["ada@example.com", "eve@example.com"]

    def test_superusers_where_the_group_has_nobody_with_an_address(self, administrator):
        User.objects.create_superuser("root", email="root@example.com")
        administrator.email = ""
        administrator.save()
        assert alert_targets.recipients() == ["root@example.com"]

    def test_nobody_at_all_keeps_the_alert(self, administrator, channel):
        administrator.delete()
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        for _ in range(5):
            assert send_due() == 0
            let_pass(days=1, minutes=1)
        copy = AlertDelivery.objects.get()
        assert (copy.attempts_made, copy.error) == (5, alert_targets.NOBODY)
        User.objects.create_superuser("root", email="root@example.com")
        assert send_due() == 1
        assert mail.outbox[0].to == ["root@example.com"]

    def test_nobody_for_now_waits_for_the_next_try(self, administrator, channel):
        administrator.delete()
        services.pause_channel(channel_id=channel.pk, reason="", by="grace")
        send_due()
        assert AlertDelivery.objects.get().next_attempt_at > timezone.now()


def test_words_and_body_stay_as_they_were_at_the_first_turn(channel, settings):
    failing(channel, failures=5)
    alert_raising.channel_failing(channel_id=channel.pk)
    settings.EMAIL_BACKEND = "tests.notifications.alerting.BrokenMail"
    assert send_due() == 0
    first = Alert.objects.values("body", "words").get()
    Channel.objects.update(name="Depot")
    ChannelHealth.objects.update(failures_in_row=9, latest_error="Another.")
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    let_pass(minutes=2)
    assert send_due() == 1
    assert Alert.objects.values("body", "words").get() == first
    assert mail.outbox[0].subject == "[Tidings] Warehouse keeps failing"
