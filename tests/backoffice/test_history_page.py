# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The history: who did what, and when."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications import services
from notifications.events import EVENT_TYPES
from notifications.models import HistoryEntry
from tests.backoffice.notifications_fixtures import admin, failed, order, page_of, people, text_of, url, warehouse

HISTORY = "notifications_historyentry_changelist"


def sentences(client, query: str = "") -> list[str]:
    page = client.get(url(HISTORY) + query)
    assert page.status_code == 200
    return [
        " ".join(each.split()) for each in re.findall(r'<th scope="row">\s*<p>(.*?)</p>', page.content.decode(), re.S)
    ]


@pytest.fixture
def changes(failed) -> None:
    """Four people and a script at work, oldest first."""
    HistoryEntry.objects.all().delete()
    completed = EVENT_TYPES["order.completed"]
    services.set_event_type_enabled(event_type=completed, enabled=True, by="ada")
    services.attach_channel(event_type=completed, channel_id=failed.channel_id, sources=["shop"], by="grace")
    services.retry_delivery(delivery_id=failed.pk, by="API key Nightly")
    services.create_channel(name="Mailing", kind="postback", url="https://example.com/", headers={}, by="ada")


def recorded(*actions: str) -> list[str]:
    return [HistoryEntry.objects.get(action=action).sentence for action in actions]


def test_the_history_says_who_did_what_newest_first(people, changes, failed):
    client = people["Notification administrators"]
    assert sentences(client) == recorded("created", "retried", "attached", "enabled")
    page = client.get(url(HISTORY))
    text = text_of(page)
    for by in ("ada", "grace", "API key Nightly"):
        assert f" {by} " in text
    content = page.content.decode()
    for link in (page_of(failed), page_of(failed.channel), url("event_type", "order.completed")):
        assert f'href="{link}"' in content, link


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?action=retried", ["retried"]),
        ("?event_type=order.completed", ["retried", "attached", "enabled"]),
        ("?q=ada", ["created", "enabled"]),
        ("?q=Nightly", ["retried"]),
        ("?q=API key Nightly", ["retried"]),
        ("?q=mailing", ["created"]),
        ("?q=ad", []),
        ("?channel=Warehouse", ["retried", "attached"]),
        ("?channel=Warehouse&action=attached&period=1h", ["attached"]),
        ("?until=2026-01-01T00:00", []),
        ("?since=2026-01-01T00:00&event_type=order.completed&action=enabled", ["enabled"]),
    ],
)
def test_the_history_is_narrowed(people, changes, query, found):
    assert sentences(people["Viewers"], query) == recorded(*found)


def test_the_history_is_narrowed_to_a_time_and_a_delivery(admin, changes, failed):
    HistoryEntry.objects.filter(action="enabled").update(at=timezone.now() - timedelta(hours=30))
    assert sentences(admin, "?period=24h") == recorded("created", "retried", "attached")
    assert sentences(admin, "?period=7d&action=enabled") == recorded("enabled")
    assert sentences(admin, f"?q={failed.pk}") == recorded("retried")


def test_a_filter_that_cannot_be_meant_says_so(admin, changes):
    page = admin.get(url(HISTORY) + "?action=lost")
    assert sentences(admin, "?action=lost") == []
    assert "There is no such choice. Choose from the list." in text_of(page)


@pytest.mark.usefixtures("banners_of_each_page")
def test_the_history_costs_the_same_queries_for_one_row_and_for_many(admin, changes, failed, django_assert_num_queries):
    HistoryEntry.objects.exclude(action="attached").delete()
    with CaptureQueriesContext(connection) as one:
        assert len(sentences(admin)) == 1
    for number in range(5):
        services.create_channel(name=f"C{number}", kind="postback", url="https://example.com/", headers={}, by="ada")
    with django_assert_num_queries(len(one)):
        assert len(sentences(admin)) == 6


def test_an_empty_history_says_what_will_stand_here(admin, db):
    HistoryEntry.objects.all().delete()
    assert "Nothing has been changed yet." in text_of(admin.get(url(HISTORY)))


def test_the_history_is_never_written_by_hand(people, changes):
    root = people["superuser"]
    entry = HistoryEntry.objects.first()
    assert root.get(url("notifications_historyentry_add")).status_code == 403
    assert root.get(url("notifications_historyentry_delete", entry.pk)).status_code == 403
    assert root.post(url("notifications_historyentry_delete", entry.pk), {"post": "yes"}).status_code == 403
    assert root.post(url("notifications_historyentry_change", entry.pk), {"sentence": "x"}).status_code == 405
    assert HistoryEntry.objects.get(pk=entry.pk).sentence == entry.sentence


def test_the_history_is_for_administrators_and_viewers(people, changes):
    for role in ("Order staff", "staff without a group"):
        assert people[role].get(url(HISTORY)).status_code == 403
    assert people["anonymous"].get(url(HISTORY)).status_code == 302
