"""Does Tidings grow slower with what it has kept? Claims, throughput and pages at 10,000 and at 1,000,000 deliveries.

Opens every page of the back office at both sizes, too, and is at fault where one asks more often at the larger size,
or where PostgreSQL means to read through a large table.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.test import Client

from api.keys import create_key
from benchmarks import installation, table, throughput
from benchmarks.fill import fill
from benchmarks.pages import Opened, administrator, open_pages, read_through
from benchmarks.receiver import Receiver
from notifications.delivery.claim import claim

TITLE = "Growth"
SMALL = 10_000
LARGE = int(os.environ.get("BENCHMARK_LARGE", "1000000"))
CLAIMS = 60
SLOTS = 16
TIMES_A_PAGE = 9
BACKLOG = 8_000
PAGES = ("Delivery log", "Order", "Dashboard")


@dataclass(frozen=True)
class Seen:
    """What was measured at one size: figures by what they are of, and the pages as they were opened."""

    figures: dict[str, table.Figure]
    pages: dict[str, Opened]


def run(rounds: int) -> None:
    installation.empty()
    client = administrator()
    create_key(name="Bench", scopes=["manage"])
    with Receiver() as receiver:
        fill(SMALL)
        few = _look(receiver, client, rounds)
        fill(LARGE - SMALL, say=print)
        many = _look(receiver, client, rounds)
    rows = [("", f"{SMALL:,} deliveries", f"{LARGE:,} deliveries", "as slow")]
    for name, figure in many.figures.items():
        before = few.figures[name]
        slower = before.median / figure.median if name.endswith("a second") else figure.median / before.median
        rows.append((name, before.text(), figure.text(), f"{slower:.2f} times"))
    table.show(TITLE, rows)
    if wrong := _wrong_pages(few.pages, many.pages):
        sys.exit("\n".join(["", *wrong]))
    print(f"  All {len(many.pages)} pages ask as often at either size, and none reads through a large table.")


def _look(receiver: Receiver, client: Client, rounds: int) -> Seen:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    figures = {
        f"claim of {SLOTS}, ms": _figure(rounds, _claim_ms, receiver),
        "throughput, deliveries a second": _figure(rounds, _throughput, receiver),
    }
    pages = open_pages(client)
    for name in PAGES:
        figures[f"{name.lower()} page, ms"] = _figure(rounds, _page_ms, client, pages[name].path)
    return Seen(figures, pages)


def _figure(rounds: int, measure: Callable[..., float], *args: object) -> table.Figure:
    return table.Figure(tuple(measure(*args) for _ in range(rounds)))


def _claim_ms(receiver: Receiver) -> float:
    """The median of many claims, each taken back."""
    channels = installation.make_channels(receiver)
    installation.make_backlog(channels, 1000)
    took = []
    try:
        for _ in range(CLAIMS):
            with transaction.atomic():
                began = time.monotonic()
                claimed = claim(slots=SLOTS, slowed_slots=SLOTS // 2)
                took.append(1000 * (time.monotonic() - began))
                transaction.set_rollback(True)
            assert len(claimed) == SLOTS
    finally:
        installation.forget(channels)
    return statistics.median(took)


def _throughput(receiver: Receiver) -> float:
    channels = installation.make_channels(receiver)
    try:
        return throughput.tidings(channels, BACKLOG)[0]
    finally:
        installation.forget(channels)


def _page_ms(client: Client, path: str) -> float:
    took = []
    for _ in range(TIMES_A_PAGE):
        began = time.monotonic()
        assert client.get(path).status_code == 200
        took.append(1000 * (time.monotonic() - began))
    return statistics.median(took)


def _wrong_pages(few: dict[str, Opened], many: dict[str, Opened]) -> Sequence[str]:
    wrong = []
    for name, page in many.items():
        before = len(few[name].statements)
        if len(page.statements) != before:
            wrong.append(f"{name} ({page.path}): {before} queries became {len(page.statements)}.")
        wrong += [f"{name} ({page.path}) reads {each}" for each in read_through(page.statements)]
    return wrong
