"""The request that an event came of: kept, told with each attempt, found again."""

import pytest
import structlog
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from notifications.correlation import request_id
from notifications.models import Event
from orders.services import create_contact
from tests.config.log_lines import log_lines
from tests.orders.shop import contact_input

GIVEN = "4bf92f3577b34da6a3ce929d0e0e4736"
BEFORE = [("notifications", "0009_alerts_as_deliveries")]
OF_BEFORE = """
INSERT INTO notifications_event (id, type, source, facts, routing, created_at)
VALUES ('evt_1', 'contact.created', 'shop', '{}', '[]', now())
"""


@pytest.mark.django_db(transaction=True)
def test_each_attempt_is_told_with_the_request_of_its_event(engine, receiver, channel, attach):
    attach(channel, "contact.created")
    with structlog.contextvars.bound_contextvars(request_id=GIVEN):
        create_contact(source="shop", data=contact_input("ada@example.com"))
    create_contact(source="shop", data=contact_input("grace@example.com"))
    assert request_id() is None
    with log_lines() as lines:
        assert engine.deliver_due() == 2
    assert sorted(str(line.get("request_id")) for line in lines.of("attempt")) == [GIVEN, "None"]


@pytest.mark.django_db
def test_the_events_of_a_request_are_found_by_an_index():
    events = Event.objects.filter(request_id=GIVEN).order_by("-id")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "event_of_request" in events.explain()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_columns_come_without_a_rewrite_and_processes_of_before_go_on():
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    try:
        with connection.cursor() as cursor:
            cursor.execute(OF_BEFORE)
            before = file_of_events(cursor)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    with connection.cursor() as cursor:
        assert file_of_events(cursor) == before
        cursor.execute(OF_BEFORE.replace("evt_1", "evt_2"))
    rows = Event.objects.order_by("id").values_list("id", "request_id", "trace_context")
    assert list(rows) == [("evt_1", None, None), ("evt_2", None, None)]


def file_of_events(cursor):
    cursor.execute("SELECT pg_relation_filenode('notifications_event')")
    return cursor.fetchone()[0]
