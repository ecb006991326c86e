"""The pool of connections to PostgreSQL of this process, as psycopg counts it itself."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

# As in `instruments.SHAPES`.
SHAPE = (("role",), ())
MILLISECONDS = 0.001


class PoolCollector(Collector):
    """`role` says what this process is. A process that has opened no pool yet has counted nothing."""

    def __init__(self, role: Callable[[], str]) -> None:
        self._role = role

    def collect(self) -> Iterable[Metric]:
        stats, role = _stats(), self._role()
        for name, text, value in (
            ("requests", "Connections that were asked for.", stats.get("requests_num", 0)),
            ("queued", "Requests for a connection that had to wait.", stats.get("requests_queued", 0)),
            (
                "wait_seconds",
                "How long requests for a connection have waited.",
                stats.get("requests_wait_ms", 0) * MILLISECONDS,
            ),
            ("usage_seconds", "How long connections were in use.", stats.get("usage_ms", 0) * MILLISECONDS),
            ("connection_errors", "Connections that could not be made.", stats.get("connections_errors", 0)),
        ):
            yield _with(CounterMetricFamily(f"tidings_pool_{name}", text, labels=SHAPE[0]), role, value)
        for name, text, value in (
            ("connections", "Connections that are open.", stats.get("pool_size", 0)),
            ("idle", "Those of them that are not in use.", stats.get("pool_available", 0)),
            ("limit", "Connections that may be open (DATABASE_POOL_SIZE).", stats.get("pool_max", 0)),
            ("waiting", "Requests that wait for a connection.", stats.get("requests_waiting", 0)),
        ):
            yield _with(GaugeMetricFamily(f"tidings_pool_{name}", text, labels=SHAPE[0]), role, value)


def _with(family: Any, role: str, value: float) -> Metric:
    if role:
        family.add_metric([role], value)
    metric: Metric = family
    return metric


def _stats() -> Mapping[str, int]:
    # Not the property of that name, which makes one.
    pools: Mapping[str, Any] = getattr(connections[DEFAULT_DB_ALIAS], "_connection_pools", {})
    pool = pools.get(DEFAULT_DB_ALIAS)
    return pool.get_stats() if pool is not None else {}
