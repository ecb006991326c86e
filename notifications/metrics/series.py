"""A series as it is stored: its name, labels and bounds as one text, its values as numbers that add up."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

INFINITY = "+Inf"


@dataclass(frozen=True)
class Snapshot:
    """All that a registry holds: counters and histograms in `totals`, by series, and its gauges."""

    totals: dict[str, list[float]] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """`labels` are names with values, by name; `bounds` the finite upper ones of a histogram's buckets."""

    name: str
    labels: tuple[tuple[str, str], ...]
    bounds: tuple[float, ...] = ()

    def __str__(self) -> str:
        return _text(self)

    @property
    def shape(self) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The names of the labels, and the bounds."""
        return tuple(name for name, _ in self.labels), self.bounds

    @classmethod
    def of(cls, name: str, labels: Mapping[str, str], bounds: Iterable[float] = ()) -> "Series":
        return cls(name, tuple(sorted(labels.items())), tuple(bounds))

    @classmethod
    def parse(cls, text: str) -> "Series":
        return cls.of(*json.loads(text))


@cache
def _text(series: Series) -> str:
    return json.dumps([series.name, dict(series.labels), series.bounds], separators=(",", ":"))


def snapshot(registry: CollectorRegistry) -> Snapshot:
    """What the counters, histograms and gauges of `registry` hold now."""
    taken = Snapshot()
    for metric in registry.collect():
        if metric.type == "histogram":
            for series, values in _histograms(metric):
                taken.totals[str(series)] = values
            continue
        for sample in metric.samples:
            series = Series.of(metric.name, sample.labels)
            if metric.type == "counter" and sample.name.endswith("_total"):
                taken.totals[str(series)] = [sample.value]
            elif metric.type == "gauge":
                taken.gauges[str(series)] = sample.value
    return taken


def _histograms(metric: Metric) -> Iterable[tuple[Series, list[float]]]:
    """Of each child its cumulative counts, in the order of the bounds, and the sum: children come one by one."""
    bounds: list[float] = []
    counts: list[float] = []
    for sample in metric.samples:
        if sample.name.endswith("_bucket"):
            counts.append(sample.value)
            if sample.labels["le"] != INFINITY:
                bounds.append(float(sample.labels["le"]))
        elif sample.name.endswith("_sum"):
            yield Series.of(metric.name, sample.labels, bounds), [*counts, sample.value]
            bounds, counts = [], []


def family_of(kind: str, name: str, text: str, rows: Mapping[Series, list[float]]) -> Metric:
    """The metric for Prometheus; all `rows` have the same names of labels."""
    names = [label for label, _ in next(iter(rows)).labels] if rows else []
    makers: dict[str, Any] = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
    family: Any = makers.get(kind, HistogramMetricFamily)(name, text, labels=names)
    for series, values in rows.items():
        labels = [value for _, value in series.labels]
        if kind == "histogram":
            buckets = zip((*map(floatToGoString, series.bounds), INFINITY), values[:-1], strict=True)
            family.add_metric(labels, buckets=list(buckets), sum_value=values[-1])
        else:
            family.add_metric(labels, values[0])
    metric: Metric = family
    return metric
