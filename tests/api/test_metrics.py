"""What a scrape costs, and what it tells where there is much of everything."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from api import metrics
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import monitoring
from notifications.metrics import reporting, totals
from notifications.models import ChannelHealth, Delivery, Event
from notifications.waiting import CHANNELS_NAMED

pytestmark = pytest.mark.django_db

TABLES = ("notifications_delivery", "notifications_deliveryattempt", "notifications_event", "notifications_alert")
# Of this transaction alone, so nothing else that goes on is counted.
ROWS_READ = """
SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)), 0)
FROM pg_class WHERE oid = ANY(%s::regclass[]) OR oid IN (
    SELECT indexrelid FROM pg_index WHERE indrelid = ANY(%s::regclass[]))
"""
FINISHED = """
INSERT INTO notifications_delivery (id, event_id, event_type, channel_id, status, next_trigger, attempts_made,
    automatic_retries, unknowns_in_row, outcome, error, created_at, finished_at, next_attempt_at)
SELECT 'dlv_kept' || n, %(event)s, 'order.completed', %(channel)s, 'succeeded', 'first', 1, 0, 0, 'succeeded', '',
    at, at, NULL
FROM (SELECT n, statement_timestamp() - make_interval(mins => n) AS at FROM generate_series(1, %(number)s) n) kept
"""
DUE = """
INSERT INTO notifications_delivery (id, event_id, event_type, channel_id, status, next_trigger, attempts_made,
    automatic_retries, unknowns_in_row, outcome, error, created_at, next_attempt_at)
SELECT 'dlv_due' || n, %(event)s, 'order.completed', %(channel)s, 'pending', 'first', 0, 0, 0, '', '', at, at
FROM (SELECT n, statement_timestamp() - make_interval(secs => n) AS at FROM generate_series(1, %(number)s) n) waiting
"""


def rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(ROWS_READ, [list(TABLES), list(TABLES)])
        return int(cursor.fetchone()[0])


def add(statement: str, channel: Channel, number: int) -> None:
    event = Event.objects.create(type="order.completed", source="shop", body="{}")
    with connection.cursor() as cursor:
        cursor.execute(statement, {"event": event.pk, "channel": channel.pk, "number": number})
        cursor.execute("ANALYZE notifications_delivery")


@contextmanager
def reading_at_most(rows: int) -> Iterator[None]:
    before = rows_read()
    yield
    assert rows_read() - before <= rows


@pytest.fixture
def channel() -> Channel:
    return create_channel(name="Warehouse", kind="postback", url="https://example.com/")


def samples(client: Client) -> dict[str, list[dict[str, str]]]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        family.name: [sample.labels for sample in family.samples]
        for family in text_string_to_metric_families(answer.content.decode())
    }


def test_a_scrape_reads_as_many_rows_whatever_is_kept(client, channel):
    add(FINISHED, channel, 200)
    client.get("/metrics")
    with reading_at_most(100):
        client.get("/metrics")
    add(FINISHED.replace("dlv_kept", "dlv_more"), channel, 30_000)
    with reading_at_most(100):
        client.get("/metrics")


def test_a_scrape_reads_as_many_rows_whatever_waits(client, channel, monkeypatch):
    """Bounds that are a hundredth of the real ones, and twenty times as much as they would count."""
    monkeypatch.setattr(monitoring, "COUNTED_AT_MOST", 100)
    monkeypatch.setattr(monitoring, "COUNTED_OF_A_CHANNEL", 10)
    add(DUE, channel, 200)
    read = []
    for number in (0, 2_000, 20_000):
        if number:
            add(DUE.replace("dlv_due", f"dlv_{number}_"), channel, number)
        before = rows_read()
        text = client.get("/metrics").content.decode()
        read.append(rows_read() - before)
        assert "tidings_deliveries_due 100.0\n" in text
        assert "tidings_deliveries_sendable 100.0\n" in text
        assert (
            f'tidings_channel_deliveries_due{{channel="{channel.pk}",name="Warehouse",reason="sendable"}} 10.0' in text
        )
    assert max(read) <= min(read) + 100, read


def test_a_scrape_takes_as_many_statements_whatever_there_is(client, channel, django_assert_max_num_queries):
    with django_assert_max_num_queries(20) as first:
        client.get("/metrics")
    add(DUE, channel, 500)
    with django_assert_max_num_queries(len(first)):
        client.get("/metrics")


def test_of_a_thousand_channels_a_few_are_named(client):
    channels = Channel.objects.bulk_create(
        Channel(name=f"Channel {number}", kind="postback", url="https://example.com/") for number in range(1_000)
    )
    event = Event.objects.create(type="order.completed", source="shop", body="{}")
    now = timezone.now()
    Delivery.objects.bulk_create(
        Delivery(event=event, event_type=event.type, channel=each, next_attempt_at=now - timedelta(seconds=60 + number))
        for number, each in enumerate(channels)
    )
    ChannelHealth.objects.bulk_create(ChannelHealth(channel=each, failures_in_row=5) for each in channels[::2])
    told = samples(client)
    for name in ("tidings_channel_oldest_due_seconds", "tidings_channel_deliveries_due"):
        assert CHANNELS_NAMED <= len(told[name]) <= 2 * CHANNELS_NAMED + 1
    named = {label for labels in told.values() for each in labels for label in each.values() if "Channel " in label}
    assert len(named) <= 2 * CHANNELS_NAMED + 1


def test_without_its_tables_the_rest_is_told(client, channel, monkeypatch, caplog):
    """As between the start of new code and its migrations."""
    add(DUE, channel, 3)
    monkeypatch.setattr(totals, "TOTALS", "SELECT series, totals FROM notifications_of_later")
    monkeypatch.setattr(reporting, "REPORT", "SELECT no_such_column")
    monkeypatch.setattr(metrics, "within", in_savepoint)
    lines = client.get("/metrics").content.decode().splitlines()
    assert "tidings_deliveries_due 3.0" in lines
    assert not any(line.startswith("tidings_attempts_total") for line in lines)
    assert "metrics_not_read" in caplog.text


def in_savepoint(look):
    """In the place of the thread of its own, which a test within a transaction has not."""
    from django.db import transaction

    with transaction.atomic():
        return look()


def test_a_database_that_is_away_is_what_is_told(client, monkeypatch):
    away = monitoring.Condition(database=False, broker=True)
    monkeypatch.setattr(monitoring, "look", lambda: away)
    lines = [line for line in client.get("/metrics").content.decode().splitlines() if not line.startswith("#")]
    assert [line.partition("{")[0] for line in lines] == ["tidings_build_info", "tidings_up", "tidings_up"]
    assert 'tidings_up{component="database"} 0.0' in lines


def test_names_are_escaped(client, channel):
    """People choose them."""
    Channel.objects.filter(pk=channel.pk).update(name='a"b\\c\nd')
    add(DUE, channel, 1)
    (labels,) = samples(client)["tidings_channel_deliveries_due"]
    assert labels["name"] == 'a"b\\c\nd'
    assert json.dumps(labels)
