"""Health checks, for supervisors."""

from dataclasses import asdict
from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from channels_app.text import some
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
        names = some([f"{app}.{name}" for app, name in missing], NAMED)
        found.append(f"Migrations are not applied: {names}. Run manage.py migrate.")
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
