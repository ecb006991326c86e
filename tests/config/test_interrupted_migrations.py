"""Migrations that are not one transaction, broken off between any two of their statements and run again."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg.sql import SQL, Identifier
from pytest_django import DjangoDbBlocker, Settings

Key = tuple[str, str]
ALIAS = "broken_off"
BEFORE, DURING = "migrations_before", "migrations_broken_off"
NOT_ATOMIC = [key for key, migration in sorted(MigrationLoader(None).disk_migrations.items()) if not migration.atomic]
CATALOGUE = """
SELECT 'column', attrelid::regclass::text, attname::text,
    format_type(atttypid, atttypmod) || attnotnull || coalesce(pg_get_expr(adbin, adrelid), '')
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid) || indisvalid
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'migration', app, name, '' FROM django_migrations
ORDER BY 1, 2, 3, 4
"""


class BrokenOff(BaseException):
    """As Ctrl-C is."""


class ToThatDatabase:
    """A router: what migrations do to rows is done there, too."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return ALIAS

    db_for_write = db_for_read


@pytest.fixture
def databases(django_db_blocker: DjangoDbBlocker, settings: Settings) -> Iterator[Callable[..., None]]:
    """Makes the database that `ALIAS` is, as a copy of another."""
    settings.DATABASE_ROUTERS = [ToThatDatabase()]
    with django_db_blocker.unblock():
        own = connections["default"].get_connection_params() | {"dbname": "postgres"}
        connections.databases[ALIAS] = connections["default"].settings_dict | {"OPTIONS": {}}
        with closing(psycopg.connect(**own, autocommit=True)) as server:

            def begin(name: str, template: str) -> None:
                connections[ALIAS].close()
                connections[ALIAS].settings_dict["NAME"] = name
                server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
                copy = SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template))
                server.execute(copy)

            yield begin
            connections[ALIAS].close()
            for name in (BEFORE, DURING):
                server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
        del connections[ALIAS]
        del connections.databases[ALIAS]


def migrate(*targets: Key, break_off_at: int | None = None) -> bool:
    """Whether it was whole: with `break_off_at` that statement of those that change something is not executed."""
    changes = count()

    def execute(go_on: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not str(sql).lstrip().upper().startswith("SELECT") and next(changes) == break_off_at:
            raise BrokenOff
        return go_on(sql, params, many, context)

    try:
        with connections[ALIAS].execute_wrapper(execute):
            MigrationExecutor(connections[ALIAS]).migrate(list(targets))
    except BrokenOff:
        return False
    return True


def catalogue() -> list[Any]:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(CATALOGUE)
        rows: list[Any] = cursor.fetchall()
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("key", NOT_ATOMIC, ids=".".join)
def test_a_migration_that_was_broken_off_is_run_again(key: Key, databases: Callable[..., None]) -> None:
    databases(BEFORE, "template0")
    migrate(*(parent.key for parent in MigrationLoader(None).graph.node_map[key].parents))
    databases(DURING, BEFORE)
    migrate(key)
    expected = catalogue()

    for statement in count():
        databases(DURING, BEFORE)
        if migrate(key, break_off_at=statement):
            break
        migrate(key)
        assert catalogue() == expected, f"broken off at statement {statement}"
    assert statement > 1


@pytest.mark.slow
def test_an_index_that_was_never_finished_is_built_again(databases: Callable[..., None]) -> None:
    key = ("notifications", "0002_leases_by_time")
    databases(DURING, "template0")
    migrate(*(parent.key for parent in MigrationLoader(None).graph.node_map[key].parents))
    migrate(key, break_off_at=1)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'delivery_leased'::regclass")
    migrate(key)

    assert [row[3].endswith("true") for row in catalogue() if row[2] == "delivery_leased"] == [True]
