# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The list of channels."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice.channels import channel_list
from channels_app.models import Channel
from channels_app.services import create_channel, pause_channel
from notifications import services
from notifications.models import ChannelHealth, ChannelHour
from tests.backoffice.notifications_fixtures import admin, failed, order, page_of, people, text_of, url, warehouse
from tests.backoffice.reading import LATELY
from tests.notifications.deliveries import make_delivery

LIST = "channels_app_channel_changelist"


def make(name: str, *, failures: int = 0) -> Channel:
    channel = create_channel(name=name, kind="postback", url=f"https://example.com/{name.lower()}")
    if failures:
        ChannelHealth.objects.create(channel=channel, failures_in_row=failures, failing_since=datetime.now(UTC))
    return channel


def test_a_row_says_how_the_channel_is(admin, warehouse, failed):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    ChannelHour.objects.create(channel=warehouse, hour=hour, succeeded=199, failed=1, latencies=[])
    pause_channel(channel_id=make("Mailing", failures=7).pk, reason="Moving house")
    make("Stock", failures=5)
    Channel.objects.filter(pk=make("Lost").pk).update(encrypted_secret="unreadable")
    make("Tolerated", failures=4)
    page = text_of(admin.get(url(LIST)))
    for row in (
        "Lost Postback https://example.com/lost unreadable – – –",
        "Mailing Postback https://example.com/mailing paused – – –",
        "Stock Postback https://example.com/stock failing – – –",
        "Tolerated Postback https://example.com/tolerated active – – –",
    ):
        assert row in page
    assert re.search(rf"Warehouse Postback https://example\.com/hook active – 99\.5 % {LATELY}", page)


def test_a_row_says_what_waits_up_to_a_bound(admin, monkeypatch):
    monkeypatch.setattr(channel_list, "COUNT_AT_MOST", 2)
    later = timezone.now() + timedelta(minutes=30)
    for name, due, scheduled in (("Few", 1, 1), ("Many", 3, 0), ("Retried", 0, 2), ("Stopped", 1, 1), ("Halted", 2, 3)):
        channel = make(name)
        for _ in range(due):
            make_delivery(channel)
        for _ in range(scheduled):
            make_delivery(channel, next_attempt_at=later)
        if name in {"Stopped", "Halted"}:
            pause_channel(channel_id=channel.pk, reason="Moving house")
    page = text_of(admin.get(url(LIST)))
    for row in (
        "Few Postback https://example.com/few active 1 due –",
        "Halted Postback https://example.com/halted paused more than 2 held –",
        "Many Postback https://example.com/many active more than 2 due –",
        "Retried Postback https://example.com/retried active – –",
        "Stopped Postback https://example.com/stopped paused 2 held –",
    ):
        assert row in page, row


def test_deleted_channels_are_not_in_the_list(admin, warehouse):
    gone = make("Gone")
    services.archive_channel(channel_id=gone.pk, by="test")
    page = text_of(admin.get(url(LIST)))
    assert "Warehouse" in page
    assert "Gone" not in page
    assert admin.get(page_of(gone)).status_code == 404


@pytest.mark.parametrize("term", ["wareh", "EXAMPLE.com/hook"])
def test_search_finds_names_and_addresses(admin, warehouse, term):
    make("Mailing")
    page = text_of(admin.get(url(LIST), {"q": term}))
    assert "Warehouse" in page
    assert "Mailing" not in page


def test_a_search_without_a_hit_leads_back(admin, warehouse):
    answer = admin.get(url(LIST), {"q": "zzz"})
    assert "No channel has “zzz” in its name or address. Show all channels" in text_of(answer)


def test_an_empty_list_says_what_to_do_next(people):
    administrators = people["Notification administrators"].get(url(LIST))
    assert "There is no channel yet." in text_of(administrators)
    assert f'href="{url("channels_app_channel_add")}"' in administrators.content.decode()
    assert f'href="{url("help_channels")}"' in administrators.content.decode()
    viewers = people["Viewers"].get(url(LIST))
    assert "A notification administrator can add one." in text_of(viewers)
    assert url("channels_app_channel_add") not in viewers.content.decode()


def test_long_lists_have_pages(admin):
    for number in range(51):
        make(f"Channel-{number:02}")
    first, second = text_of(admin.get(url(LIST))), text_of(admin.get(url(LIST), {"p": "2"}))
    assert "Channel-49" in first and "Channel-50" not in first
    assert "Channel-50" in second and "Channel-49" not in second


def test_many_channels_take_as_many_queries_as_one(admin, warehouse, failed):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert admin.get(url(LIST)).status_code == 200
        return len(captured)

    queries()  # what is cached from the first request on
    one = queries()
    for number in range(20):
        make(f"Channel-{number:02}", failures=number % 7)
    assert queries() == one
