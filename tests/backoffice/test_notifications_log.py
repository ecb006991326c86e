# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""What the delivery log and the events list, how they are narrowed, and what they say where there is nothing."""

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from typeid import TypeID

from backoffice.notifications import filters, log_admin
from backoffice.notifications.filters import TOO_MANY
from channels_app.models import Channel
from notifications import services
from notifications.events import EVENT_TYPES
from notifications.id_times import first_id_at
from notifications.models import Delivery, Event
from orders.models import Contact
from tests.backoffice.notifications_fixtures import (
    admin,
    failed,
    make_failed,
    order,
    page_of,
    people,
    text_of,
    url,
    warehouse,
)
from tests.notifications.deliveries import make_delivery
from tests.parametrizing import quick_first

LOG, EVENTS = "notifications_delivery_changelist", "notifications_event_changelist"
WRONG = "Nothing is shown: correct what is marked above, or clear the filters ."


def rows_of(page) -> list[str]:
    """The ids behind the rows of a list, in their order."""
    links = re.findall(r'class="ui-row-link" href="/admin/notifications/\w+/([^/"?]+)/change/', page.content.decode())
    return [link.replace("_5F", "_") for link in links]


def listed(client, query: str = "", name: str = LOG) -> list[str]:
    page = client.get(url(name) + query)
    assert page.status_code == 200
    return rows_of(page)


def new_channel(name: str) -> Channel:
    return services.create_channel(name=name, kind="postback", url="https://example.com/", headers={}, by="test")


@pytest.fixture
def log(warehouse, order, failed) -> dict[str, Delivery]:
    """One delivery of each shown status."""
    mailing, paused = new_channel("Mailing"), new_channel("Paused")
    services.pause_channel(channel_id=paused.pk, reason="Moving house", by="test")
    succeeded = make_failed(mailing, None, "refund.applied")
    Delivery.objects.filter(pk=succeeded.pk).update(status="succeeded", outcome="succeeded", status_code=200)
    return {
        "failed": failed,
        "succeeded": succeeded,
        "held": make_delivery(paused, event_type="contact.created"),
        "pending": make_delivery(warehouse),
    }


@pytest.fixture
def over_days(warehouse) -> dict[int, Delivery]:
    """Deliveries made so many hours ago, newest last."""
    return {hours: made_ago(warehouse, timedelta(hours=hours)) for hours in (200, 100, 20, 0)}


def made_ago(channel: Channel, age: timedelta) -> Delivery:
    """Recorded then: the ids carry the time."""
    at = timezone.now() - age

    def then(prefix: str) -> str:
        return first_id_at(prefix, at)[:-16] + TypeID(prefix).suffix[-16:]

    event = Event.objects.create(pk=then("evt"), type="order.completed", source="shop", body="{}", created_at=at)
    delivery = Delivery.objects.create(pk=then("dlv"), event=event, event_type=event.type, channel=channel)
    Delivery.objects.filter(pk=delivery.pk).update(created_at=at)
    return delivery


# What is listed


def test_the_log_is_newest_first_and_says_what_became_of_each(people, log):
    client = people["Viewers"]
    assert listed(client) == [log[status].pk for status in ("pending", "held", "succeeded", "failed")]
    text = text_of(client.get(url(LOG)))
    number = log["failed"].event.order.number
    assert f"Order completed {number} Warehouse Failed 503 1 " in text
    assert "Refund applied – Mailing Succeeded 200 1 " in text
    assert "Contact created – Paused Held – 0 " in text
    assert "Deliveries are kept for 90 days." in text


def test_each_row_is_opened_by_one_link(admin, log):
    page = admin.get(url(LOG)).content.decode()
    for delivery in log.values():
        assert page.count(f'href="{page_of(delivery)}"') == 1


def test_a_long_log_is_read_page_by_page_and_stays_in_place_while_more_arrives(admin, warehouse, monkeypatch):
    monkeypatch.setattr(log_admin, "ROWS", 3)
    made = [make_delivery(warehouse).pk for _ in range(8)][::-1]
    first = admin.get(url(LOG) + "?status=pending")
    assert rows_of(first) == made[:3]
    assert "Newer</a>" not in first.content.decode()
    made.insert(0, make_delivery(warehouse).pk)

    def follow(page, link: str):
        (quoted,) = re.findall(rf'href="([^"]+)" rel="{link}"', page.content.decode())
        address = html.unescape(quoted)
        assert "status=pending" in address
        return admin.get(url(LOG) + address)

    second = follow(first, "next")
    assert rows_of(second) == made[4:7]
    third = follow(second, "next")
    assert rows_of(third) == made[7:]
    assert "Older</a>" not in third.content.decode()
    assert rows_of(follow(third, "prev")) == made[4:7]
    assert rows_of(follow(second, "prev")) == made[1:4]
    newest = follow(follow(second, "prev"), "prev")
    assert rows_of(newest) == made[:1]
    assert "Newer</a>" not in newest.content.decode()


@pytest.mark.parametrize("name", [LOG, EVENTS])
@pytest.mark.usefixtures("banners_of_each_page")
def test_a_list_costs_the_same_queries_for_one_row_and_for_many_and_counts_nothing(
    admin, warehouse, order, django_assert_num_queries, name
):
    make_failed(warehouse, order)
    with CaptureQueriesContext(connection) as one:
        assert len(listed(admin, name=name)) == 1
    large = re.compile(r'COUNT\(.* FROM "notifications_(delivery|deliveryattempt|event)"')
    assert not [query["sql"] for query in one if large.search(query["sql"])]
    for number in range(9):
        make_failed(Channel.objects.create(name=f"C{number}", kind="postback"), order)
    with django_assert_num_queries(len(one)):
        assert len(listed(admin, name=name)) == 10


# Filters


@pytest.mark.parametrize("status", ["pending", "held", "succeeded", "failed"])
def test_the_log_is_filtered_by_the_status_as_shown(admin, log, status):
    assert listed(admin, f"?status={status}") == [log[status].pk]


def test_a_test_to_a_paused_channel_goes_out_and_so_is_not_held(admin, log):
    sent = services.send_test(
        channel_id=log["held"].channel_id, event_type=EVENT_TYPES["order.completed"], by="notification"
    )
    assert sent.pk in listed(admin, "?status=pending")
    assert listed(admin, "?status=held") == [log["held"].pk]


def test_what_is_filled_in_holds_all_together(admin, log):
    warehouse_id = log["failed"].channel_id
    assert listed(admin, f"?channel={warehouse_id}") == [log["pending"].pk, log["failed"].pk]
    assert listed(admin, "?event_type=refund.applied") == [log["succeeded"].pk]
    assert listed(admin, "?source=shop") == listed(admin)
    assert listed(admin, "?source=funnel") == []
    everything = f"?status=failed&event_type=order.completed&channel={warehouse_id}&source=shop&period=1h&q="
    assert listed(admin, everything) == [log["failed"].pk]
    assert listed(admin, f"?status=held&channel={warehouse_id}") == []
    assert listed(admin, "?status=&event_type=&channel=&source=&period=&since=&until=&q=") == listed(admin)


@pytest.mark.parametrize(("period", "hours"), [("", [0, 20, 100, 200]), ("7d", [0, 20, 100]), ("24h", [0, 20])])
def test_the_log_is_narrowed_to_the_last_hours_or_days(admin, over_days, period, hours):
    assert listed(admin, f"?period={period}") == [over_days[each].pk for each in hours]
    assert listed(admin, f"?period={period}", EVENTS) == [over_days[each].event_id for each in hours]


def test_the_log_is_narrowed_to_the_last_hour(admin, over_days):
    recent = made_ago(over_days[0].channel, timedelta(minutes=59))
    made_ago(over_days[0].channel, timedelta(minutes=61))
    assert listed(admin, "?period=1h") == [over_days[0].pk, recent.pk]


def test_the_log_is_narrowed_to_times_from_and_to(admin, over_days):
    def minute(hours: int) -> str:
        return f"{timezone.now() - timedelta(hours=hours):%Y-%m-%dT%H:%M}Z"

    assert listed(admin, f"?since={minute(150)}") == [over_days[hours].pk for hours in (0, 20, 100)]
    assert listed(admin, f"?until={minute(10)}") == [over_days[hours].pk for hours in (20, 100, 200)]
    assert listed(admin, f"?since={minute(150)}&until={minute(10)}") == [over_days[hours].pk for hours in (20, 100)]
    assert listed(admin, f"?since={minute(150)}&period=24h") == [over_days[hours].pk for hours in (0, 20)]
    assert listed(admin, f"?until={minute(10)}", EVENTS) == [over_days[hours].event_id for hours in (20, 100, 200)]


def test_times_are_those_of_the_zone_of_whoever_asks(admin, warehouse, settings):
    settings.TIME_ZONE = "America/New_York"  # five hours behind in January
    at = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
    delivery = made_ago(warehouse, timezone.now() - at)
    assert listed(admin, "?since=2026-01-15T06:59&until=2026-01-15T07:01") == [delivery.pk]
    assert listed(admin, "?since=2026-01-15T07:01") == []
    assert listed(admin, "?since=2026-01-15T11:59Z&until=2026-01-15T12:01Z") == [delivery.pk]


@pytest.mark.parametrize("by", ["delivery id", "event id", "order number", "e-mail", "e-mail in capitals"])
def test_the_log_is_searched_exactly(admin, log, by):
    wanted = log["failed"]
    term = {
        "delivery id": wanted.pk,
        "event id": wanted.event_id,
        "order number": wanted.event.order.number,
        "e-mail": "ada@example.com",
        "e-mail in capitals": "ADA@EXAMPLE.COM",
    }[by]
    assert listed(admin, f"?q=%20{term}%20") == [wanted.pk]
    assert listed(admin, f"?q={term}x") == []
    assert listed(admin, f"?q={term}&status=held") == []


def test_a_deleted_channel_keeps_its_name_in_the_log_and_stands_last_in_the_list_of_channels(admin, log):
    warehouse_id = log["failed"].channel_id
    services.archive_channel(channel_id=warehouse_id, by="test")
    page = admin.get(url(LOG) + f"?channel={warehouse_id}")
    assert rows_of(page) == [log["pending"].pk, log["failed"].pk]
    assert "Warehouse (deleted)" in text_of(page)
    channels = re.search(r'<select name="channel".*?</select>', page.content.decode(), re.S)[0]
    assert re.findall(r">([^<>\n]+)</option>|label=\"(\w+)\"", channels) == [
        ("All", ""),
        ("Mailing", ""),
        ("Paused", ""),
        ("", "Deleted"),
        ("Warehouse", ""),
    ]


def test_thousands_of_channels_are_not_listed_but_named(admin, log, monkeypatch):
    monkeypatch.setattr(filters, "LISTED_CHANNELS", 2)
    page = admin.get(url(LOG))
    assert '<select name="channel"' not in page.content.decode()
    assert 'name="channel"' in page.content.decode()
    assert listed(admin, "?channel=mailing") == [log["succeeded"].pk]
    by_id = admin.get(url(LOG) + f"?channel={log['held'].channel_id}")
    assert rows_of(by_id) == [log["held"].pk]
    assert re.search(r'class="helptext"[^>]*>Paused<', by_id.content.decode())
    new_channel("Mailing")
    assert listed(admin, "?channel=Mailing&status=succeeded") == [log["succeeded"].pk]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?status=lost", "There is no such choice. Choose from the list."),
        ("?event_type=order.lost", "There is no such choice. Choose from the list."),
        ("?source=fair", "There is no such choice. Choose from the list."),
        ("?period=3d", "There is no such choice. Choose from the list."),
        ("?channel=chn_nobody", "There is no such channel."),
        ("?since=yesterday", "This is not a time. Write it like 2026-11-23T18:36."),
        ("?since=2026-11-23T18:36&until=2026-11-23T18:36", "This is not after From."),
    ],
)
def test_a_filter_that_cannot_be_meant_says_so_and_shows_nothing(admin, log, query, sentence):
    page = admin.get(url(LOG) + query)
    assert page.status_code == 200
    assert rows_of(page) == []
    text = text_of(page)
    assert sentence in text
    assert WRONG in text
    assert "Download CSV" not in text


@pytest.mark.parametrize("query", ["?e=1", "?foo=bar", "?after=x&o=1.2", "?p=7", "?before=zzz"])
def test_what_is_no_filter_is_let_be(admin, log, query):
    assert set(listed(admin, query)) <= set(listed(admin))
    assert admin.get(url("notifications_historyentry_changelist") + query).status_code == 200


def test_the_form_above_the_log_keeps_what_was_asked(admin, log):
    channel = log["failed"].channel_id
    query = f"?status=failed&channel={channel}&q=1001&since=2026-11-23T18:36"
    page = admin.get(url(LOG) + query).content.decode()
    assert re.findall(r'<option value="([^"]+)" selected>', page) == ["failed", channel]
    assert 'value="1001"' in page
    assert 'value="2026-11-23T18:36"' in page
    assert '<details class="ui-log-times" open>' in page
    labelled = re.findall(r'<label for="(log-\w+)"', page)
    assert labelled == [f"log-{name}" for name in ("q", "status", "event_type", "channel", "source", "period")] + [
        "log-since",
        "log-until",
    ]
    for label in labelled:
        assert f'id="{label}"' in page


# Nothing to show


@pytest.mark.parametrize(
    "term", quick_first(["Ada Byron", "byron ada", "byr", "da@exam", "@example.com", "Order {}", "#{}"])
)
def test_the_logs_are_searched_by_names_parts_of_addresses_and_numbers_as_people_write_them(admin, log, term):
    wanted, other = log["failed"], Contact.objects.create(source="shop", email="grace@navy.example", last_name="Hopper")
    Event.objects.create(type="contact.created", source="shop", contact=other, body="{}")
    asked = urlencode({"q": term.format(wanted.event.order.number)})
    assert listed(admin, f"?{asked}") == [wanted.pk]
    assert listed(admin, f"?{asked}", EVENTS) == [wanted.event_id]
    for nothing in ("Ada Hopper", "Order 9999", "#9999", "Order byron"):
        assert listed(admin, f"?{urlencode({'q': nothing})}") == []


def test_a_search_that_fits_too_many_contacts_says_so_and_brings_no_file(admin, log, monkeypatch):
    for module in ("orders.searching", "backoffice.notifications.filters"):
        monkeypatch.setattr(f"{module}.MOST_CONTACTS", 0)
    for name in (LOG, EVENTS):
        page = admin.get(url(name) + "?q=byron")
        assert TOO_MANY in text_of(page)
        assert "Nothing is shown: correct what is marked above" in text_of(page)
    assert admin.get(url("notifications_delivery_csv") + "?q=byron").status_code == 400


def test_an_empty_log_says_what_to_do(people, db):
    text = text_of(people["Notification administrators"].get(url(LOG)))
    assert "Nothing has been delivered yet. Turn on an event type and attach a channel to it" in text
    assert "System notifications" in text[text.index("Nothing has been delivered yet") :]
    text = text_of(people["Order staff"].get(url(LOG)))
    assert "Nothing has been delivered yet." in text
    assert "System notifications" not in text[text.index("Nothing has been delivered yet") :]


def test_where_nothing_matches_the_filters_can_be_cleared(admin, log):
    page = admin.get(url(LOG) + "?q=9999&status=failed")
    assert "Nothing matches. The search takes: Event or delivery id, order number, name, e-mail." in text_of(page)
    assert '<a class="ui-button" href="?">Clear the filters</a>' in page.content.decode()


# Events


def test_events_are_filtered_and_searched(admin, log):
    newest_first = list(Event.objects.order_by("-pk").values_list("pk", flat=True))
    assert listed(admin, name=EVENTS) == newest_first
    completed = log["failed"].event
    assert listed(admin, "?event_type=refund.applied", EVENTS) == [log["succeeded"].event_id]
    assert listed(admin, "?source=funnel", EVENTS) == []
    assert listed(admin, "?source=shop&event_type=refund.applied&period=24h", EVENTS) == [log["succeeded"].event_id]
    for term in (completed.pk, completed.order.number, "ada@example.com"):
        assert listed(admin, f"?q={term}", EVENTS) == [completed.pk]
    assert f"Order completed Shop {completed.order.number} Ada Byron 1 of 2 " in text_of(admin.get(url(EVENTS)))


def test_a_test_is_no_occurrence_and_found_by_its_id_alone(admin, log):
    delivery = services.send_test(
        channel_id=log["failed"].channel_id, event_type=EVENT_TYPES["order.completed"], by="notification"
    )
    assert delivery.event_id not in listed(admin, name=EVENTS)
    assert listed(admin, f"?q={delivery.event_id}", EVENTS) == [delivery.event_id]
    assert listed(admin)[0] == delivery.pk


def test_an_event_that_reached_nobody_says_so_in_the_list(admin, failed):
    Event.objects.update(routing=[])
    assert "None attached" in text_of(admin.get(url(EVENTS)))


@pytest.mark.parametrize("name", [LOG, EVENTS])
def test_a_list_is_for_those_who_may_see_it(people, log, name):
    assert people["staff without a group"].get(url(name)).status_code == 403
    assert people["anonymous"].get(url(name)).status_code == 302
