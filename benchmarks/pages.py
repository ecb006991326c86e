"""Opens every page of the back office and looks at what it asks of PostgreSQL."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.browser.pages import find_pages

LARGE_TABLES = (
    *("notifications_delivery", "notifications_event", "notifications_deliveryattempt", "notifications_historyentry"),
    *("orders_order", "orders_contact", "orders_orderitem", "orders_transaction"),
)
# More rows than any page shows: whoever reads so many of a large table reads through it.
READ_THROUGH = 5_000


@dataclass(frozen=True)
class Opened:
    """One page as it was opened: its statements and the seconds that it took."""

    path: str
    statements: list[str]
    seconds: float


def open_pages(client: Client) -> dict[str, Opened]:
    """Every page by its name. Raises AssertionError for one that cannot be opened."""
    from django.contrib.contenttypes.models import ContentType

    from backoffice import banners

    ContentType.objects.get_for_models(*apps.get_models())  # a process asks for each once

    def read(path: str) -> str:
        answer = client.get(path, follow=True)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.content.decode()

    opened = {}
    for name, path in find_pages(read).items():
        banners.forget()  # what is kept for some seconds is asked for anew, at either size
        started = time.monotonic()
        with CaptureQueriesContext(connection) as captured:
            read(path)
        seconds = time.monotonic() - started
        opened[name] = Opened(path, [query["sql"] for query in captured.captured_queries], seconds)
    return opened


def counted_whole(statements: list[str]) -> list[str]:
    """The statements that count a large table without asking for anything in particular."""
    tables = "|".join(LARGE_TABLES)
    return [
        statement
        for statement in statements
        if re.search(rf'\bcount\(.*\bFROM "?({tables})\b', statement, re.IGNORECASE | re.DOTALL)
        and not re.search(r"\bWHERE\b", statement, re.IGNORECASE)
    ]


def read_through(statements: list[str]) -> list[str]:
    """The statements for which PostgreSQL means to read more of a large table than a page shows, with how much."""
    found = []
    for statement in statements:
        if not re.match(r"\s*(SELECT|WITH)\b", statement, re.IGNORECASE):
            continue
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (FORMAT JSON) " + statement.replace("%", "%%"), [])
            (plan,) = cursor.fetchone()[0]
        for table, rows in _read(plan["Plan"], stops_early=False):
            if table in LARGE_TABLES and rows > READ_THROUGH:
                found.append(f"{rows:,} rows of {table}: {statement}")
    return found


def _read(node: Mapping[str, Any], *, stops_early: bool) -> Iterator[tuple[str, int]]:
    """The tables that a plan reads, with the rows of each. Below a LIMIT an index is read as far as needed only."""
    kind, rows = node["Node Type"], int(node["Plan Rows"])
    if kind == "Limit":
        stops_early = True
    elif kind in {"Sort", "Aggregate", "Hash", "Materialize"}:
        stops_early = False
    if "Relation Name" in node and not (stops_early and "Index" in kind):
        yield node["Relation Name"], _rows_of(node["Relation Name"]) if kind == "Seq Scan" else rows
    for child in node.get("Plans", []):
        yield from _read(child, stops_early=stops_early)


def _rows_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])


def administrator() -> Client:
    """Somebody who may open every page."""
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.create_superuser("bench", "bench@example.com", "bench"))
    return client
