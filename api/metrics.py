"""`/metrics`: what all processes have counted, and how the queue is at the moment of the scrape. For Prometheus.

Every web process answers the same: counters are totals in PostgreSQL, the queue is looked at. `docs/metrics.md` lists
all of it, and a test compares the two. A scrape costs the same whatever is kept; of what waits it reads a bounded
number of rows.
"""

import hmac
import ipaddress
import platform
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from notifications import monitoring
from notifications.metrics import totals
from notifications.metrics.reporting import reporter
from notifications.patience import within

log = structlog.get_logger(__name__)

# How long a scrape waits for what this process has counted itself to be added.
REPORTED_WITHIN_SECONDS = 2.0


class Queue(NamedTuple):
    counts: monitoring.Counts
    due_by_channel: Mapping[str, int]
    rows: list[tuple[str, int, int]]


class AllProcesses(Collector):
    """Reads the database at each scrape. What cannot be read is left out; nothing is raised."""

    def collect(self) -> Iterable[Metric]:
        yield _build()
        condition = monitoring.look()
        up = GaugeMetricFamily("tidings_up", "1 where it can be reached.", labels=["component"])
        up.add_metric(["database"], condition.database)
        up.add_metric(["broker"], condition.broker)
        yield up
        if not condition.database:
            return
        reporter.report_soon(seconds=REPORTED_WITHIN_SECONDS)
        try:
            yield from list(totals.families(within(totals.read)))
        except Exception:  # such as a migration that is not applied yet
            log.exception("metrics_not_read")
        try:
            queue = within(lambda: _look(condition))
        except DatabaseError:  # it went away
            return
        yield from _queue(condition, queue)


def _look(condition: monitoring.Condition) -> Queue:
    worst = {each.channel_id for each in condition.lateness.worst}
    return Queue(monitoring.count(), monitoring.count_due(sorted(worst)), monitoring.count_rows())


def _build() -> Metric:
    build = GaugeMetricFamily(
        "tidings_build_info", "1; what the web process that answers is.", labels=["version", "python"]
    )
    build.add_metric([settings.VERSION, platform.python_version()], 1)
    return build


def _queue(condition: monitoring.Condition, queue: Queue) -> Iterable[Metric]:
    counts = queue.counts
    for name, text, value in (
        ("tidings_worker_age_seconds", "Since a worker last claimed.", condition.worker_age),
        ("tidings_beat_age_seconds", "Since beat last ran.", condition.beat_age),
        ("tidings_purge_age_seconds", "Since a purge last ended.", condition.purge_age),
        ("tidings_alert_age_seconds", "Since the latest alert was written.", counts.alert_age),
        (
            "tidings_oldest_due_seconds",
            "How long the oldest due delivery has waited, whatever for.",
            condition.oldest_due or 0,
        ),
        (
            "tidings_oldest_sendable_seconds",
            "How long the oldest delivery has waited that could be sent now.",
            condition.oldest_sendable or 0,
        ),
        (
            "tidings_deliveries_due",
            f"Deliveries that are due and not being sent, counted up to {monitoring.COUNTED_AT_MOST}.",
            counts.due,
        ),
        (
            "tidings_deliveries_sendable",
            f"Those of them on channels that are neither paused nor failing, counted up to "
            f"{monitoring.COUNTED_AT_MOST}.",
            counts.sendable,
        ),
        ("tidings_deliveries_in_flight", "Deliveries being sent.", counts.in_flight),
        ("tidings_channels_failing", "Active channels that failed five times in a row.", counts.channels_failing),
        ("tidings_channels_waiting", "Channels on which a due delivery waits.", condition.lateness.channels),
        ("tidings_alerts_waiting", "Alerts that are still to be sent.", counts.alerts_waiting),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    yield from _by_channel(condition, queue.due_by_channel)
    rows = GaugeMetricFamily(
        "tidings_table_rows", "Rows of the large tables, as PostgreSQL estimates.", labels=["table", "state"]
    )
    for table, live, dead in queue.rows:
        rows.add_metric([table, "live"], live)
        rows.add_metric([table, "dead"], dead)
    yield rows


def _by_channel(condition: monitoring.Condition, due_by_channel: Mapping[str, int]) -> Iterable[Metric]:
    """The metrics by channel: of the channels on which deliveries wait, those whose oldest has waited for longest."""
    named = "of the worst channels; reason: sendable, cap, back_off or pause."
    labels = ["channel", "name", "reason"]
    ages = GaugeMetricFamily(
        "tidings_channel_oldest_due_seconds", f"How long the oldest has waited, {named}", labels=labels
    )
    due = GaugeMetricFamily(
        "tidings_channel_deliveries_due",
        f"Due deliveries, counted up to {monitoring.COUNTED_OF_A_CHANNEL}, {named}",
        labels=labels,
    )
    for each in condition.lateness.worst:
        values = [each.channel_id, each.channel, each.reason]
        ages.add_metric(values, each.seconds)
        due.add_metric(values, due_by_channel.get(each.channel_id, 0))
    yield ages
    yield due


# What proxies, balancers and CDNs add to a request, of many kinds; a client that asks directly sends none of it.
_SAID_BY_PROXIES = re.compile(
    r"(x-)?forwarded|via$|max-forwards|.*client-?ip|true-client-|proxy-|x-(real|original|originating|remote|peer)-"
    r"|x-(proxy|client|cluster|host|scheme|ssl|varnish)|ssl-client|(x-)?(akamai|fastly)-|cf-|cdn-|fly-"
    r"|x-(envoy|amzn?|azure|arr|appengine|vercel|nf|sucuri)-",
    re.IGNORECASE,
)
_registry = CollectorRegistry()
_registry.register(AllProcesses())


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for callers with `METRICS_TOKEN` as their bearer token.

    While none is set, for callers on loopback that are no proxy.
    """
    if not (_has_token(request) if settings.METRICS_TOKEN else _from_loopback(request)):
        return HttpResponse("Ask with METRICS_TOKEN as a bearer token; while none is set, from loopback.\n", status=403)
    return HttpResponse(generate_latest(_registry), content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    given = request.headers.get("Authorization", "").encode()
    return hmac.compare_digest(given, expected)


def _from_loopback(request: HttpRequest) -> bool:
    """Whether the caller is on this machine and no proxy, which would add one of `_SAID_BY_PROXIES`."""
    if any(_SAID_BY_PROXIES.match(name) for name in request.headers):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
