"""What all processes have counted together, for Prometheus."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from notifications.metrics.instruments import REGISTRY, SHAPES
from notifications.metrics.pool import SHAPE
from notifications.metrics.series import Series, family_of, snapshot

# A process that was not seen for so long counts as ended: it reports every ten seconds at the least.
LIVES_FOR_SECONDS = 30

TOTALS = "SELECT series, totals FROM notifications_metrictotal"
LIVING = """
SELECT role, version, gauges FROM notifications_metricprocess
WHERE role <> '' AND seen_at > statement_timestamp() - make_interval(secs => %s)
"""


@dataclass(frozen=True)
class Reports:
    """The totals by series, and of each living process its role, its version and its gauges by series."""

    totals: Sequence[tuple[str, list[float]]]
    living: Sequence[tuple[str, str, dict[str, float]]]


def read() -> Reports:
    """Read what was reported: a row for each series and process, however much they count. Raises `DatabaseError`."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS)
        totals = cursor.fetchall()
        cursor.execute(LIVING, [LIVES_FOR_SECONDS])
        living = [(role, version, json.loads(gauges)) for role, version, gauges in cursor.fetchall()]
    return Reports(totals, living)


def families(reports: Reports) -> Iterable[Metric]:
    """Every metric of the registry, also one that nobody has counted yet; what this code does not know is left out."""
    rows: dict[str, dict[Series, list[float]]] = defaultdict(dict)
    for text in snapshot(REGISTRY).totals:
        series = Series.parse(text)
        if not series.labels:
            rows[series.name][series] = [0.0] * (len(series.bounds) + 2 if series.bounds else 1)
    for text, totals in reports.totals:
        series = Series.parse(text)
        if series.shape == SHAPES.get(series.name, SHAPE):
            rows[series.name][series] = totals
    for _, _, gauges in reports.living:
        for text, value in gauges.items():
            series = Series.parse(text)
            if series.shape == SHAPE:
                before = rows[series.name].get(series, [0.0])[0]
                rows[series.name][series] = [before + value]
    for metric in REGISTRY.collect():
        yield family_of(metric.type, metric.name, metric.documentation, rows[metric.name])
    yield _processes(reports)


def _processes(reports: Reports) -> Metric:
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    for role, version, _ in reports.living:
        numbers[role, version] += 1
    family = GaugeMetricFamily("tidings_processes", "Processes that were seen lately.", labels=["role", "version"])
    for labels, number in sorted(numbers.items()):
        family.add_metric(list(labels), number)
    return family
