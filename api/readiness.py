"""Whether this web process can do its work, for `/readyz`."""

from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from notifications.patience import Unanswered, within

NAMED = 3


def problems() -> list[str]:
    """What keeps it from its work, a sentence each. Answers within seconds, also where PostgreSQL is silent."""
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
    """All that this code needs. A database may have more: one that newer code has migrated already."""
    return frozenset(MigrationLoader(None).graph.nodes)
