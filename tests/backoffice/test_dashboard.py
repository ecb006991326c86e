"""The first page: what each person sees of it, and at what cost."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice import charts
from channels_app.services import create_channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import ChannelHealth, Delivery
from notifications.tally import Counted, count
from tests.backoffice.notifications_fixtures import admin, failed, order, page_of, people, text_of, warehouse
from tests.notifications.deliveries import make_delivery

__all__ = ["admin", "failed", "order", "people", "warehouse"]

pytestmark = pytest.mark.django_db


def links_of(response) -> list[str]:
    page = response.content.decode()
    return [part.partition('"')[0] for part in page[page.index("<main") :].split('href="')[1:]]


def test_the_numbers_of_the_last_day_and_what_needs_attention(admin, warehouse, failed):
    count([Counted(warehouse.pk, "succeeded", 40)] * 1500 + [Counted(warehouse.pk, "failed", 400)] * 100)
    ChannelHealth.objects.create(
        channel=warehouse,
        failures_in_row=1234,
        failing_since=timezone.now() - timedelta(hours=2),
        latest_error="The receiver answered 503.",
    )
    paused = create_channel(name="Bookkeeping", kind="postback", url="https://example.com/")
    services.pause_channel(channel_id=paused.pk, reason="It moves.", by="test")
    page = admin.get("/admin/")
    assert page.status_code == 200
    text = text_of(page)
    for said in (
        "Deliveries 1,600 finished in the last 24 hours",
        "Success rate 93.8 % 1,500 succeeded",
        "Failed 100 not delivered",
        "Median answer 41 ms half",
        "Oldest due delivery None nothing waits to be sent",
        "1,500 succeeded, 100 failed",
        "Warehouse 1,234 failures in a row, the first 2 hours ago . Latest: The receiver answered 503. Failing",
        ": It moves. Paused",
        f"Order completed to Warehouse Order {failed.event.order.number} · The receiver answered 503. ",
    ):
        assert said in text
    links = links_of(page)
    for link in (
        page_of(failed),
        page_of(warehouse),
        page_of(paused),
        "/admin/notifications/delivery/?status=failed&amp;period=24h",
    ):
        assert link in links
    assert page_of(failed.event.order) not in links  # not for those who may not see orders


def test_the_chart_has_a_table_beside_it_and_needs_no_script(admin, warehouse):
    count([Counted(warehouse.pk, "succeeded", 40)] * 3)
    page = admin.get("/admin/").content.decode()
    assert page.count('class="ui-chart-hour"') == 24
    assert page.count('class="ui-chart-succeeded"') == 1
    assert page.count('class="ui-chart-failed"') == 0
    table = page[page.index("ui-table-numbers") :]
    assert table[: table.index("</table>")].count('<th scope="row">') == 24
    assert "<td>3</td><td>0</td><td>40 ms</td>" in table


def test_what_waits_for_a_failing_channel_is_not_passed_over(admin, warehouse):
    ChannelHealth.objects.create(channel=warehouse, failures_in_row=5, failing_since=timezone.now())
    for _ in range(24):
        oldest = make_delivery(warehouse, next_attempt_at=timezone.now() - timedelta(minutes=30))
    page = admin.get("/admin/")
    text = text_of(page)
    assert "Oldest due delivery 30 min its channel keeps failing and is asked less often" in text
    assert "The channel keeps failing and is asked less often. Its oldest due delivery has waited for 30 min." in text
    assert "nothing waits" not in text
    other = create_channel(name="Search", kind="postback", url="https://example.com/")
    make_delivery(other, next_attempt_at=timezone.now() - timedelta(minutes=5))
    assert "the oldest that could be sent now waits for 5 min" in text_of(admin.get("/admin/"))
    Delivery.objects.exclude(pk=oldest.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    assert page_of(oldest) in links_of(admin.get("/admin/"))


def test_a_delivery_that_waits_is_linked(admin, warehouse):
    delivery = make_delivery(warehouse, next_attempt_at=timezone.now() - timedelta(minutes=3, seconds=10))
    page = admin.get("/admin/")
    assert "Oldest due delivery 3 min since it could be sent" in text_of(page)
    assert page_of(delivery) in links_of(page)


class TestFirstSteps:
    STEPS = "Nothing is sent: three steps to a notification"

    def test_they_are_shown_until_a_channel_is_linked_to_an_event_that_is_on(self, admin):
        page = admin.get("/admin/")
        assert self.STEPS in text_of(page)
        assert text_of(page).count("Done") == 0
        assert "/admin/channels_app/channel/add/" in links_of(page)

        channel = create_channel(name="Warehouse", kind="postback", url="https://example.com/")
        assert text_of(admin.get("/admin/")).count("Done") == 1
        event_type = EVENT_TYPES["order.completed"]
        services.attach_channel(event_type=event_type, channel_id=channel.pk, sources=["shop"], by="test")
        assert text_of(admin.get("/admin/")).count("Done") == 2
        services.set_event_type_enabled(event_type=event_type, enabled=True, by="test")
        assert self.STEPS not in text_of(admin.get("/admin/"))

    def test_who_cannot_take_them_is_not_asked_to(self, people):
        assert self.STEPS not in text_of(people["Order staff"].get("/admin/"))
        assert self.STEPS not in text_of(people["Viewers"].get("/admin/"))


class TestWhoSeesWhat:
    def test_order_staff_see_orders_and_deliveries_but_no_channels(self, people, failed):
        ChannelHealth.objects.create(channel=failed.channel, failures_in_row=9, failing_since=timezone.now())
        page = people["Order staff"].get("/admin/")
        text, links = text_of(page), links_of(page)
        assert f"Order {failed.event.order.number} Ada Byron" in text
        assert page_of(failed.event.order) in links
        assert "Latest failures" in text
        assert "Channels that need attention" not in text
        assert page_of(failed.channel) not in links

    def test_who_sees_orders_alone_gets_orders_alone(self, failed):
        clerk = User.objects.create_user("clerk", is_staff=True)
        clerk.user_permissions.add(*Group.objects.get(name="Viewers").permissions.filter(codename="view_order"))
        client = Client()
        client.force_login(clerk)
        page = client.get("/admin/")
        assert f"Order {failed.event.order.number} Ada Byron" in text_of(page)
        for hidden in ("Success rate", "Deliveries per hour", "Latest failures", "Channels that need attention"):
            assert hidden not in text_of(page)

    def test_nobody_gets_an_empty_page(self, people):
        assert "You have no permission to see anything yet." in text_of(people["staff without a group"].get("/admin/"))
        for name in ("Notification administrators", "Order staff", "Viewers", "superuser"):
            assert "You have no permission" not in text_of(people[name].get("/admin/"))


@pytest.mark.usefixtures("banners_of_each_page")
def test_it_costs_the_same_however_much_there_is(people, warehouse, order):
    client = people["superuser"]

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/admin/").status_code == 200
        assert not [query for query in captured if "COUNT(*) AS" in query["sql"] and "delivery" in query["sql"]]
        return len(captured)

    def fill(times: int) -> None:
        for number in range(times):
            channel = create_channel(name=f"Channel {number}", kind="postback", url="https://example.com/")
            ChannelHealth.objects.create(channel=channel, failures_in_row=9, failing_since=timezone.now())
            count([Counted(channel.pk, "failed", 40)])
            for _ in range(3):
                make_delivery(channel, status="failed", next_attempt_at=None, finished_at=timezone.now())

    fill(1)
    few = queries()
    fill(20)
    assert queries() == few
    assert Delivery.objects.count() == 63


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (9_940, "9.9 s"),
        (45_000, "45 s"),
        (300_000, "5 min"),
        (10_800_000, "3 h"),
        (345_600_000, "4 d"),
    ],
)
def test_durations_are_short(ms, text):
    assert charts.duration(ms) == text


@pytest.mark.parametrize(
    ("value", "top"), [(0, 2), (2, 2), (3, 4), (9, 10), (11, 12), (17, 20), (1138, 1200), (99_999, 100_000)]
)
def test_the_scale_ends_at_a_round_number(value, top):
    assert charts.ceiling(value) == top
