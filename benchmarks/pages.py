"""Opens every page of the back office with 10,000 and with 1,000,000 deliveries, and compares.

`make bench`, or `python -m tests.embedded -m benchmarks.pages --small 10000 --large 1000000`: prints for each page the
number of its queries and how long it takes at both sizes. It fails where the number of queries differs, and where a
large table is read through: counted, or searched without an index.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.fill import fill
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

    from notifications.admin import banners

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


def compare(small: int, large: int) -> list[str]:
    """Prints the table and returns what is wrong."""
    from config.api.keys import create_key

    client = administrator()
    create_key(name="Bench", scopes=["manage"])
    fill(small)
    few = open_pages(client)
    fill(large - small, say=print)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    many = open_pages(client)
    wrong = []
    print(f"\n{'page':<34} {'queries':>7} {'ms at':>9} {'ms at':>10} {'ratio':>6}")
    print(f"{'':<34} {'':>7} {small:>9,} {large:>10,}")
    for name, page in many.items():
        before = few[name]
        print(
            f"{name:<34} {len(page.statements):>7} {before.seconds * 1000:>9.0f} {page.seconds * 1000:>10.0f} "
            f"{page.seconds / before.seconds:>6.1f}"
        )
        if len(page.statements) != len(before.statements):
            wrong.append(f"{name} ({page.path}): {len(before.statements)} queries became {len(page.statements)}.")
        wrong += [f"{name} ({page.path}) reads {each}" for each in read_through(page.statements)]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    arguments = parser.parse_args()
    call_command("migrate", verbosity=0)
    wrong = compare(arguments.small, arguments.large)
    if wrong:
        sys.exit("\n".join(["", *wrong]))
    print("\nEvery page asks as much at either size, and none reads through a large table.")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    settings.ALLOWED_HOSTS.append("testserver")
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    main()
