"""What every page says while something is wrong, to whom, and at what cost."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice import banners
from backoffice.banners import banners_for
from channels_app.services import create_channel
from notifications import monitoring, services, waiting
from notifications.delivery.maintenance import beat
from notifications.models import ChannelHealth, Heartbeat
from tests.notifications.deliveries import make_delivery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("banners_of_each_page")]


@pytest.fixture(autouse=True)
def all_well(db) -> None:
    for name in Heartbeat.Name:
        beat(name, at_most_every=0)


@pytest.fixture
def administrator(db) -> User:
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.get(name="Notification administrators"))
    return user


def person(*permissions: str) -> User:
    user = User.objects.create_user("-".join(permissions) or "nobody")
    for permission in permissions:
        app_label, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app_label, codename=codename))
    return user


def last_seen(name: str, *, minutes: float) -> None:
    Heartbeat.objects.filter(name=name).update(at=timezone.now() - timedelta(minutes=minutes))


def failing(name: str = "Warehouse", *, failures: int = 7, **fields) -> ChannelHealth:
    channel = create_channel(name=name, kind="postback", url="https://example.com/")
    since = timezone.now() - timedelta(hours=3, minutes=5)
    fields = {"failing_since": since, "latest_error": "The receiver answered 503.", **fields}
    return ChannelHealth.objects.create(channel=channel, failures_in_row=failures, **fields)


def texts(user) -> list[str]:
    return [banner.text for banner in banners_for(user)]


def test_nothing_is_said_while_all_is_well(administrator, channel):
    make_delivery(channel)
    assert banners_for(administrator) == []


class TestNothingIsBeingDelivered:
    def test_no_worker_for_a_minute(self, administrator):
        last_seen("worker", minutes=0.9)
        assert banners_for(administrator) == []
        last_seen("worker", minutes=3)
        (banner,) = banners_for(administrator)
        assert banner.text.startswith("Nothing is being delivered: no worker has been seen for 3 min. Start the worker")
        assert (banner.level, banner.url) == ("error", "/admin/notifications/delivery/?status=pending")

    def test_no_worker_ever(self, administrator):
        Heartbeat.objects.all().delete()
        assert texts(administrator)[0].startswith("Nothing is being delivered: no worker has been seen yet.")

    def test_no_beat_for_five_minutes(self, administrator):
        last_seen("beat", minutes=4.9)
        assert banners_for(administrator) == []
        last_seen("beat", minutes=6)
        (text,) = texts(administrator)
        assert text.startswith("Nothing is being delivered on schedule: no beat has run for 6 min.")

    def test_no_beat_ever_since_the_start_five_minutes_ago(self, administrator, monkeypatch):
        Heartbeat.objects.filter(name="beat").delete()
        monkeypatch.setattr(banners, "_STARTED", time.monotonic() - 290)
        assert banners_for(administrator) == []
        monkeypatch.setattr(banners, "_STARTED", time.monotonic() - 301)
        banners.forget()
        (text,) = texts(administrator)
        assert text.startswith("Nothing is being delivered on schedule: no beat has run yet.")

    def test_the_oldest_due_delivery_is_too_old(self, administrator, channel):
        delivery = make_delivery(channel, next_attempt_at=timezone.now() - timedelta(seconds=110))
        assert banners_for(administrator) == []
        delivery.next_attempt_at = timezone.now() - timedelta(minutes=4, seconds=30)
        delivery.save()
        (text,) = texts(administrator)
        assert text.startswith("Nothing is being delivered in time: the oldest due delivery has waited for ")

    def test_one_banner_whatever_is_wrong_with_it(self, administrator, channel):
        Heartbeat.objects.all().delete()
        make_delivery(channel, next_attempt_at=timezone.now() - timedelta(hours=1))
        assert len(banners_for(administrator)) == 1

    def test_a_viewer_of_orders_learns_only_that_it_is_so(self):
        last_seen("worker", minutes=3)
        (banner,) = banners_for(person("orders.view_order"))
        assert banner.text.startswith("Nothing is being delivered at the moment. Orders are recorded as usual")
        assert (banner.url, banner.action) == ("", "")

    def test_who_may_see_neither_orders_nor_notifications_learns_nothing(self):
        last_seen("worker", minutes=3)
        failing()
        assert banners_for(person()) == banners_for(person("orders.view_contact")) == []
        assert banners_for(AnonymousUser()) == []


class TestFailingChannels:
    def test_it_says_since_when_and_the_latest_error_and_leads_there(self, administrator):
        health = failing()
        (banner,) = banners_for(administrator)
        assert banner.text.replace("\xa0", " ") == (
            "Warehouse keeps failing for 3 hours, 7 times in a row. Latest: The receiver answered 503."
        )
        assert banner.level == "warning"
        assert banner.url == f"/admin/channels_app/channel/{health.channel_id.replace('_', '_5F')}/change/"

    def test_who_sees_the_log_alone_is_led_to_the_log(self):
        health = failing()
        (banner,) = banners_for(person("notifications.view_delivery"))
        assert banner.url == f"/admin/notifications/delivery/?channel={health.channel_id}&status=failed"

    def test_a_viewer_of_orders_does_not_hear_of_channels(self):
        failing()
        assert banners_for(person("orders.view_order")) == []

    @pytest.mark.parametrize("state", ["four failures", "paused", "deleted", "well again"])
    def test_not_of_this_one(self, administrator, state):
        health = failing(failures=4 if state == "four failures" else 5)
        if state == "paused":
            services.pause_channel(channel_id=health.channel_id, reason="", by="test")
        elif state == "deleted":
            services.archive_channel(channel_id=health.channel_id, by="test")
        elif state == "well again":
            ChannelHealth.objects.update(failures_in_row=0, failing_since=None)
        assert banners_for(administrator) == []

    def test_three_are_named_the_longest_failing_first_and_the_others_counted(self, administrator):
        for hours in range(5):
            failing(f"Channel {hours}", failing_since=timezone.now() - timedelta(hours=hours))
        found = texts(administrator)
        assert [text.partition(" keeps")[0] for text in found[:3]] == ["Channel 4", "Channel 3", "Channel 2"]
        assert found[3:] == ["2 more channels keep failing."]


class TestCost:
    def test_two_queries_that_are_kept_for_a_while(self, administrator, monkeypatch):
        monkeypatch.setattr(banners, "KEPT_SECONDS", 60.0)
        banners.forget()
        failing()
        administrator.has_perm("orders.view_order")  # reads the permissions
        with CaptureQueriesContext(
            connection,
        ) as queries:
            banners_for(administrator)
        assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 2
        with CaptureQueriesContext(connection) as queries:
            assert len(banners_for(administrator)) == 1
        assert len(queries) == 0
        banners.forget()

    def test_the_oldest_due_is_found_by_its_index(self, channel):
        for hours in range(60):
            done = {"finished_at": timezone.now() - timedelta(hours=hours), "next_attempt_at": None}
            make_delivery(channel, status="succeeded", outcome="succeeded", **done)
            make_delivery(channel, status="failed", outcome="http_error", **done)
            make_delivery(channel)
        with connection.cursor() as cursor:
            # What the planner goes by is this, whatever earlier tests have left to the autovacuum.
            cursor.execute("REINDEX TABLE notifications_delivery")
            cursor.execute("ANALYZE notifications_delivery, notifications_heartbeat, channels_app_channel")
            cursor.execute("ANALYZE notifications_channelhealth")
            # A table that is full of what earlier tests have rolled back is read by a bitmap of the same index.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute(f"EXPLAIN {monitoring.AGES}", waiting.values())
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Index Scan using delivery_due on notifications_delivery" in plan, plan
        for index in ("delivery_leased", "delivery_succeeded", "delivery_failed"):
            assert f"using {index} on notifications_delivery" in plan, plan


class TestTroubleWithTheDatabase:
    def test_a_failing_statement_leaves_the_page_and_its_transaction_whole(self, administrator, monkeypatch):
        monkeypatch.setattr(monitoring, "AGES", "SELECT no_such_column")
        with transaction.atomic():
            assert banners_for(administrator) == []
            assert User.objects.filter(pk=administrator.pk).exists()

    def test_a_database_that_is_away_breaks_nothing(self, administrator, monkeypatch):
        def away() -> dict[str, float]:
            raise OperationalError("the connection is closed")

        administrator.has_perm("orders.view_order")
        monkeypatch.setattr(monitoring, "ages", away)
        assert banners_for(administrator) == []
