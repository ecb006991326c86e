"""Health checks and metrics, for supervisors."""

import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from notifications import monitoring
from notifications.patience import Unanswered, within

NAMED = 3


def readiness_problems() -> list[str]:
    """Why this process cannot work, a sentence each. Answers within seconds, also where PostgreSQL is silent."""
    try:
        return within(_problems)
    except Unanswered:
        return ["The database (DATABASE_URL) does not answer."]
    except DatabaseError:
        return ["The database (DATABASE_URL) cannot be reached."]


def _problems() -> list[str]:
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('transaction_read_only') = 'on', to_regclass(%s) IS NOT NULL",
            [MigrationRecorder.Migration._meta.db_table],
        )
        read_only, migrated = cursor.fetchone()
    applied = set(MigrationRecorder.Migration.objects.values_list("app", "name")) if migrated else set()
    if read_only:
        found.append("The database (DATABASE_URL) can only be read, as a replica can.")
    if missing := sorted(_migrations() - applied):
        names = ", ".join(f"{app}.{name}" for app, name in missing[:NAMED])
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        found.append(f"Migrations are not applied: {names}{more}. Run manage.py migrate.")
    return found


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    """The migrations of this code. A database may have more, of newer code."""
    return frozenset(MigrationLoader(None).graph.nodes)


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """The process is up. It asks no other service, so a broken database does not get it restarted."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Whether this web process can do its work: the database answers, can be written to and has every migration.

    503 where not. It asks for neither broker, worker nor beat: events are recorded without them and go out later, so
    what is wrong there must not keep orders from being taken.
    """
    problems = readiness_problems()
    return JsonResponse(
        {"status": "unavailable" if problems else "ok", "problems": problems}, status=503 if problems else 200
    )


@never_cache
@require_safe
def deliveries(_request: HttpRequest) -> JsonResponse:
    """Whether deliveries go out: database, broker, worker, beat and what waits. 503 where not. For monitoring."""
    condition = monitoring.look()
    problems = condition.problems(max_age=monitoring.LONGEST_WAIT_SECONDS)
    seen = asdict(condition)
    del seen["lateness"]
    return JsonResponse(
        {
            "status": "unavailable" if problems else "ok",
            "problems": problems,
            **seen,
            "channels_waiting": condition.lateness.channels,
            "waiting": [
                {
                    "channel": {"id": each.channel_id, "name": each.channel},
                    "seconds": each.seconds,
                    "reason": each.reason,
                    "why": each.why,
                }
                for each in condition.lateness.worst
            ],
        },
        status=503 if problems else 200,
    )


class DeliveryCollector(Collector):
    """Reads the database at each scrape, so that every process answers the same."""

    def collect(self) -> Iterable[Metric]:
        condition = monitoring.look()
        up = GaugeMetricFamily("tidings_up", "1 where it can be reached.", labels=["component"])
        up.add_metric(["database"], condition.database)
        up.add_metric(["broker"], condition.broker)
        yield up
        if not condition.database:
            return
        try:
            counts = within(monitoring.count)
        except DatabaseError:  # it went away, or there is more to count than the time allows
            return
        for name, text, value in (
            ("tidings_worker_age_seconds", "Since a worker last claimed.", condition.worker_age),
            ("tidings_beat_age_seconds", "Since beat last ran.", condition.beat_age),
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
            ("tidings_deliveries_due", "Deliveries that are due and not being sent.", counts.due),
            (
                "tidings_deliveries_sendable",
                "Those of them on channels that are neither paused nor failing.",
                counts.sendable,
            ),
            ("tidings_deliveries_in_flight", "Deliveries being sent.", counts.in_flight),
            ("tidings_channels_failing", "Active channels that failed five times in a row.", counts.channels_failing),
            ("tidings_channels_waiting", "Channels on which a due delivery waits.", condition.lateness.channels),
            ("tidings_alerts_waiting", "Alerts that are still to be sent.", counts.alerts_waiting),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)
        yield from _by_channel(condition, counts)


def _by_channel(condition: monitoring.Condition, counts: monitoring.Counts) -> Iterable[Metric]:
    """The metrics by channel: of the channels on which deliveries wait, those whose oldest has waited for longest."""
    named = "of the worst channels; reason: sendable, cap, back_off or pause."
    labels = ["channel", "name", "reason"]
    ages = GaugeMetricFamily(
        "tidings_channel_oldest_due_seconds", f"How long the oldest has waited, {named}", labels=labels
    )
    due = GaugeMetricFamily("tidings_channel_deliveries_due", f"Due deliveries, {named}", labels=labels)
    for each in condition.lateness.worst:
        values = [each.channel_id, each.channel, each.reason]
        ages.add_metric(values, each.seconds)
        due.add_metric(values, counts.due_by_channel.get(each.channel_id, 0))
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
_registry.register(DeliveryCollector())


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
