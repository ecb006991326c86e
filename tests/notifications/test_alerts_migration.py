"""Alerts of before there were copies keep what became of them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from typeid import TypeID

from channels_app.models import Channel
from notifications import services
from notifications.alerts.adopting import adopt
from notifications.models import Alert, AlertDelivery, ChannelHealth, Delivery, Event
from notifications.tasks import send_alerts
from tests.notifications.alerting import is_well, look_and_send, make_administrator, send_due, told

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("notifications", "0004_recipients_reached"), ("channels_app", "0003_kinds_that_people_read")]
LONG_AGO = datetime(2026, 10, 1, 12, tzinfo=UTC)


def go_back():
    """The models as they were, of the tables as they are then."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    return executor.loader.project_state(BEFORE).apps


def go_on() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def old(db):
    yield go_back()
    go_on()


def test_old_alerts_are_kept_with_what_became_of_them(old, settings):
    OldChannel, OldAlert = old.get_model("channels_app", "Channel"), old.get_model("notifications", "Alert")
    fails = OldChannel.objects.create(name="Warehouse", kind="postback", url="https://example.com/")
    other = OldChannel.objects.create(name="Mailing", kind="postback", url="https://example.com/")
    other.paused_at = LONG_AGO
    other.save()
    old.get_model("notifications", "ChannelHealth").objects.create(
        channel=fails, failures_in_row=7, failing_since=LONG_AGO
    )
    done = {"next_try_at": None}
    rows = [
        {"kind": "failing", "channel": other, "withdrawn_at": LONG_AGO, **done},
        {"kind": "failing", "channel": fails, "sent_at": LONG_AGO, "tries": 1, **done},
        {"kind": "paused", "channel": other, "next_try_at": LONG_AGO, "tries": 3, "error": "Mail was away."},
    ]
    for number, row in enumerate(rows):
        alert = OldAlert.objects.create(facts={"by": "grace", "reason": "Because."}, **row)
        OldAlert.objects.filter(pk=alert.pk).update(created_at=LONG_AGO + timedelta(milliseconds=number // 2))

    go_on()

    assert [
        (each.kind, each.channel.name, each.open, each.body, each.facts["by"])
        for each in Alert.objects.order_by("event_id")
    ] == [
        ("failing", "Mailing", False, "", "grace"),
        ("failing", "Warehouse", True, "", "grace"),
        ("paused", "Mailing", False, None, "grace"),
    ]
    for alert in Alert.objects.all():
        assert TypeID.from_string(alert.pk).prefix == "alr"
    assert adopt() == 3
    assert adopt() == 0
    assert [
        (each.channel.system, each.status, each.withdrawn, each.finished_at, each.next_attempt_at, each.attempts_made)
        for each in AlertDelivery.objects.order_by("event_id")
    ] == [
        (True, "failed", True, LONG_AGO, None, 0),
        (True, "succeeded", False, LONG_AGO, None, 1),
        (True, "pending", False, None, LONG_AGO, 3),
    ]
    assert AlertDelivery.objects.get(status="pending").error == "Mail was away."
    health = ChannelHealth.objects.get()
    assert (health.stage, health.last_failed_at) == ("failing", None)
    assert health.stage_at is not None

    # And they are gone on with.
    make_administrator()
    is_well(Channel.objects.get(name="Warehouse"))
    assert look_and_send() == 2
    assert [message.subject for message in mail.outbox] == [
        "[Tidings] Mailing was paused",
        "[Tidings] Warehouse has recovered",
    ]


def test_going_back_forgets_alerts_and_keeps_the_channels(channel):
    make_administrator()
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    send_due()
    old = go_back()
    try:
        OldAlert = old.get_model("notifications", "Alert")
        assert OldAlert.objects.count() == 0
        for name in ("Delivery", "Event"):
            assert old.get_model("notifications", name).objects.count() == 0
        assert old.get_model("channels_app", "Channel").objects.count() == 1
        assert OldAlert.objects.create(kind="paused", channel_id=channel.pk, next_try_at=LONG_AGO).pk == 1
    finally:
        go_on()
    assert Alert.objects.get().channel == channel


def test_what_a_process_of_the_release_before_writes_is_taken_over(channel):
    """It keeps copies in a table of its own; one that it is sending is left to it until its time is over."""
    make_administrator()
    services.pause_channel(channel_id=channel.pk, reason="", by="grace")
    alert = Alert.objects.get()
    Delivery.every.all().delete()
    Event.every.all().delete()
    Alert.objects.bulk_create([alert])
    copy = "INSERT INTO notifications_alertcopy (id, alert_id, next_try_at, claimed_at, tries, reached, error)"
    copy += " VALUES ('alc_1', %s, statement_timestamp() + %s, statement_timestamp(), 1, '{}', '')"
    with connection.cursor() as cursor:
        cursor.execute(copy, [alert.pk, timedelta(minutes=5)])
    send_alerts()
    assert told() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notifications_alertcopy SET next_try_at = statement_timestamp()")
    send_alerts()
    assert told() == [("paused", "administrators", "waits")]
    assert send_due() == 1
    assert mail.outbox[0].subject == "[Tidings] Warehouse was paused"
