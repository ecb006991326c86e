"""Adds what this process has counted to the totals in PostgreSQL: once a second where there is news.

A thread of its own does it, on a connection that it takes from the pool for that moment, so nobody who counts ever
waits for PostgreSQL. While PostgreSQL is away the counts stay in memory. Each report has a number and is added once,
also where it is not known whether an earlier try was committed. What a killed process had not reported is missing.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection, transaction
from prometheus_client import CollectorRegistry

from notifications.metrics.instruments import REGISTRY, counts
from notifications.metrics.pool import PoolCollector
from notifications.metrics.series import Snapshot, snapshot

log = structlog.get_logger(__name__)

REPORTS_EVERY_SECONDS = 1.0
# A report takes a twentieth of the time at most; where PostgreSQL is slow or away it comes less often.
SHARE = 20
LONGEST_PAUSE_SECONDS = 10.0
# Without news a process says that it lives, together with what alone is no news: an idle worker claims once a sweep,
# and each report takes a connection.
SEEN_EVERY_SECONDS = 10.0
NO_NEWS = ('["tidings_pool_', '["tidings_claim_')
# A row of a process that was not seen for so long is removed when the next one starts.
FORGOTTEN_AFTER_SECONDS = 3600
ENDS_WITHIN_SECONDS = 10.0

# In the order of the series, like every lock on several rows: two processes never wait for each other.
REPORT = """
WITH accepted AS (
    INSERT INTO notifications_metricprocess AS known (id, role, version, reports, gauges, seen_at)
    VALUES (%(id)s, %(role)s, %(version)s, %(number)s, %(gauges)s::jsonb, statement_timestamp())
    ON CONFLICT (id) DO UPDATE
    SET reports = excluded.reports, gauges = excluded.gauges, seen_at = excluded.seen_at
    WHERE known.reports < excluded.reports
    RETURNING 1
)
INSERT INTO notifications_metrictotal AS kept (series, totals)
SELECT series, totals FROM jsonb_to_recordset(%(news)s::jsonb) AS news(series text, totals double precision[])
WHERE EXISTS (SELECT FROM accepted)
ORDER BY series
ON CONFLICT (series) DO UPDATE SET totals = ARRAY(
    SELECT before + more FROM unnest(kept.totals, excluded.totals) WITH ORDINALITY AS total(before, more, position)
    ORDER BY position)
"""
FORGET = """
DELETE FROM notifications_metricprocess WHERE id IN (
    SELECT id FROM notifications_metricprocess
    WHERE seen_at < statement_timestamp() - make_interval(secs => %s) FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True)
class _Report:
    """What is added, and what is reported then. It is kept as it is until it is known to be committed."""

    number: int
    news: dict[str, list[float]]
    reported: dict[str, list[float]]


class Reporter:
    """Reports for one process. `role` (web, worker or beat) is "" where it was not started.

    While `counts` returns what it returned before, there is no news in `registry`.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY, counts: Callable[[], object] = counts) -> None:
        self.role = ""
        self._registry = registry
        self._counts = counts
        self._counted: object = None
        self._pid = 0
        self._id: UUID = uuid4()
        self._number = 0
        self._reported: dict[str, list[float]] = {}
        self._pending: _Report | None = None
        self._seen_until = 0.0
        self._failing = False
        self._reporting = threading.Lock()
        # The thread is asked for report number `_asked` and has tried that of number `_tried`.
        self._turn = threading.Condition()
        self._asked = self._tried = 0
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, role: str) -> None:
        """Report from now on, in a thread. Call it where a process begins to serve, after it was forked."""
        self.role, self._stopping = role, False
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Report a last time and end the thread; where PostgreSQL does not answer, without waiting for it."""
        thread, self._thread = self._thread, None
        if thread is None or self._pid not in {0, os.getpid()}:
            return
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        thread.join(ENDS_WITHIN_SECONDS)

    def report_soon(self, *, seconds: float) -> None:
        """Have all that was counted until now reported, and wait for it, for so long at most. Never raises.

        Without a thread it is reported on the spot.
        """
        if self._thread is None or not self._thread.is_alive():
            self.report(whole=True)
            return
        with self._turn:
            self._asked += 1
            asked = self._asked
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._tried >= asked, seconds)

    def report(self, *, whole: bool = False) -> None:
        """Report the news, if there is any; `whole`: also what alone is no news. Never raises."""
        try:
            with self._reporting:
                self._report(whole)
        except Exception:
            if not self._failing:
                log.exception("metrics_not_reported")  # they are kept for the next time
            self._failing = True
        else:
            self._failing = False

    def _run(self) -> None:
        pause, last = 0.0, False
        while not last:
            with self._turn:
                self._turn.wait_for(lambda: self._stopping or self._asked > self._tried, pause)
                asked, last = self._asked, self._stopping
            began = time.monotonic()
            if not (last and self._failing):
                self.report(whole=last or asked > self._tried)
            with self._turn:
                self._tried = asked
                self._turn.notify_all()
            with suppress(Exception):
                connection.close()
            pause = min(max(REPORTS_EVERY_SECONDS, SHARE * (time.monotonic() - began)), LONGEST_PAUSE_SECONDS)

    def _report(self, whole: bool) -> None:
        if self._pid != os.getpid():
            self._pid, self._id, self._number, self._pending = os.getpid(), uuid4(), 0, None
        counted = self._counts()
        if counted == self._counted and not whole and time.monotonic() < self._seen_until:
            return
        if self._pending is not None:
            self._send(self._pending, snapshot(self._registry))
        now = snapshot(self._registry)
        news = {
            series: added
            for series, values in now.totals.items()
            if any(added := _added(values, self._reported.get(series)))
        }
        is_news = any(not series.startswith(NO_NEWS) for series in news)
        if is_news or (whole and news) or time.monotonic() >= self._seen_until:
            self._pending = _Report(self._number + 1, news, now.totals)
            self._send(self._pending, now)
        self._counted = counted

    def _send(self, report: _Report, now: Snapshot) -> None:
        values: dict[str, Any] = {
            "id": self._id,
            "role": self.role,
            "version": settings.VERSION,
            "number": report.number,
            "gauges": json.dumps(now.gauges),
            "news": json.dumps([{"series": series, "totals": added} for series, added in report.news.items()]),
        }
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(REPORT, values)
            if report.number == 1:
                cursor.execute(FORGET, [FORGOTTEN_AFTER_SECONDS])
        self._number, self._reported, self._pending = report.number, report.reported, None
        self._seen_until = time.monotonic() + SEEN_EVERY_SECONDS


def _added(values: list[float], before: list[float] | None) -> list[float]:
    """What has come to `values` since; all of it where they began anew, as those of a new pool do."""
    if before is None or any(now < then for now, then in zip(values, before, strict=True)):
        return values
    return [now - then for now, then in zip(values, before, strict=True)]


reporter = Reporter()
REGISTRY.register(PoolCollector(lambda: reporter.role))
