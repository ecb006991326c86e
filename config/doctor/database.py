"""Looks at PostgreSQL: whether it answers, who we are there, how many connections there may be, its clock, its size.

Each look connects by itself and not through the pool, which would wait and try again before it says why it cannot.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import time as _now
from typing import Any, cast

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connection

from api.health import readiness_problems
from channels_app.text import one_line, some
from config.doctor.examination import Finding, fault, ok, unknown, warning
from config.doctor.hosts import is_here
from notifications.monitoring import in_words

OLDEST_VERSION = 14
CONNECT_SECONDS = 4
CLOCK_WARNING_SECONDS = 2.0
# Postbacks whose time stamp is off by five minutes are refused by their receivers; links and certificates end early.
CLOCK_FAULT_SECONDS = 60.0
# A web process, a worker and beat.
FEWEST_PROCESSES = 3
NEARLY_ALL = 0.9
NAMED = 3

_LIMITS = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
    (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user),
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())
"""
_RIGHTS = """
SELECT wanted.name, has_table_privilege(found.oid, 'SELECT') AND has_table_privilege(found.oid, 'INSERT')
        AND has_table_privilege(found.oid, 'UPDATE') AND has_table_privilege(found.oid, 'DELETE'),
    pg_has_role(found.relowner, 'USAGE')
FROM unnest(%s::text[]) AS wanted (name) JOIN pg_class found ON found.oid = to_regclass(quote_ident(wanted.name))
ORDER BY wanted.name
"""
_ROLE = """
SELECT quote_ident(rolname), quote_ident(current_schema()), array_remove(ARRAY[
    CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
    CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL)
FROM pg_roles WHERE rolname = current_user
"""


def look_at_server() -> Sequence[Finding]:
    """Whether it can be reached, its version, and whether what travels there is encrypted."""
    try:
        with _connected() as server:
            major, version = server.info.server_version // 10000, server.info.parameter_status("server_version")
            host, encrypted = server.info.host, bool(server.pgconn.ssl_in_use)
    except psycopg.Error as error:
        return [fault(f"Cannot be reached: {one_line(str(error))}", "Start it, or mend DATABASE_URL.")]
    says = f"PostgreSQL {version} answers ({_name()})."
    if major < OLDEST_VERSION:
        return [fault(says, f"Upgrade it: Tidings needs PostgreSQL {OLDEST_VERSION} or newer.")]
    mode = settings.DATABASES["default"]["OPTIONS"].get("sslmode", "prefer")
    if is_here(host) or (encrypted and mode in {"verify-ca", "verify-full"}):
        return [ok(says)]
    how = "Add ?sslmode=verify-full&sslrootcert=FILE to DATABASE_URL, unless nobody else is on the way there."
    if not encrypted:
        return [warning(f"{says} What travels there is not encrypted.", how)]
    return [warning(f"{says} What travels there is encrypted, but its certificate is not checked.", how)]


def look_at_migrations() -> Sequence[Finding]:
    problems = readiness_problems()
    if problems:
        return [fault(problem, "" if "manage.py migrate" in problem else "Mend DATABASE_URL.") for problem in problems]
    return [ok("All are applied, and the database can be written to.")]


def look_at_role() -> Sequence[Finding]:
    """Whether our role may do what Tidings does, and no more."""
    tables = [model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    with _connected() as server:
        name, schema, more_than_needed = _row(server, _ROLE)
        rights = server.execute(_RIGHTS, [tables]).fetchall()
    if missing := [table for table, may_all, _ in rights if not may_all]:
        return [
            fault(
                f"{name} may not read and write {some(missing, NAMED, 'tables')}.",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name};",
            )
        ]
    if more_than_needed and not settings.DEMO:
        attributes = ", ".join(more_than_needed)
        return [
            warning(
                f"{name} may do more than Tidings needs ({attributes}).",
                f"Use a role that only owns the database, or ALTER ROLE {name} "
                f"{' '.join(f'NO{attribute}' for attribute in more_than_needed)};",
            )
        ]
    owns_all = all(owns for _, _, owns in rights)
    return [ok(f"{name} may read and write every table{'' if owns_all else '; another role runs manage.py migrate'}.")]


def look_at_connections() -> Sequence[Finding]:
    """Whether the pools of our processes fit into what the server, the database and the role may have."""
    size = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    with _connected() as server:
        limit, used, of_role, used_by_role, of_database, used_in_database = _row(server, _LIMITS)
        pooled = server.info.backend_pid != _row(server, "SELECT pg_backend_pid()")[0]
    if pooled:
        return [
            unknown(
                f"A pooler stands before PostgreSQL, which takes {limit} connections: what counts is the pooler's own "
                "limit, which cannot be seen from here.",
                f"Its default_pool_size is to be below {limit}, and its max_client_conn at least {size} a process.",
            )
        ]
    bounds = [(limit, used, "max_connections of the server")]
    bounds += [(of_role, used_by_role, "the role's CONNECTION LIMIT")] if of_role >= 0 else []
    bounds += [(of_database, used_in_database, "the database's CONNECTION LIMIT")] if of_database >= 0 else []
    limit, used, what = min(bounds)
    processes = limit // size
    says = f"{used} of {limit} are in use; {processes} processes of web, worker and beat fit with full pools of {size}."
    do = f"Lower DATABASE_POOL_SIZE, raise {what}, or put PgBouncer before it."
    if processes < 1:
        return [fault(says, do)]
    if processes < FEWEST_PROCESSES or used >= NEARLY_ALL * limit:
        return [warning(says, do)]
    return [ok(says)]


def look_at_clock() -> Sequence[Finding]:
    """How far this machine's clock is from the database's; what the way there takes is allowed for."""
    with _connected() as server:
        server.execute("SELECT 1")
        before = _now()
        (theirs,) = _row(server, "SELECT extract(epoch FROM clock_timestamp())::float")
        after = _now()
    away = max(theirs - after, before - theirs, 0.0)
    if away < CLOCK_WARNING_SECONDS:
        return [ok("This machine and the database agree.")]
    way = "behind" if theirs > after else "ahead of"
    says = f"This machine is {in_words(away)} {way} the database."
    finding = fault if away >= CLOCK_FAULT_SECONDS else warning
    return [finding(says, "Synchronise both by NTP (chronyc tracking, timedatectl).")]


def look_at_size() -> Sequence[Finding]:
    with _connected() as server:
        size, largest, of_largest = _row(
            server,
            "SELECT pg_size_pretty(pg_database_size(current_database())), relname, "
            "pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' "
            "ORDER BY pg_total_relation_size(oid) DESC LIMIT 1",
        )
    return [
        ok(
            f"{size}, of which {largest} has {of_largest}; the log is kept for {settings.RETENTION_DAYS} days. How "
            "much room its disk has left is not seen from here."
        )
    ]


@contextmanager
def _connected() -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit, as the settings make it, with a limit to each statement. Raises `psycopg.Error`."""
    params = {**connection.get_connection_params(), "connect_timeout": CONNECT_SECONDS}
    factory = params.pop("cursor_factory", None)
    with psycopg.connect(**params, autocommit=True) as server:
        if factory is not None:
            server.cursor_factory = factory
        yield server


def _row(server: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = server.execute(cast(Any, query)).fetchone()
    assert row is not None  # noqa: S101 - each of the queries gives one
    return cast(tuple[Any, ...], row)


def _name() -> str:
    """The database and its server, without user name and password."""
    database = settings.DATABASES["default"]
    return f"{database['NAME'] or 'of its service'} on {database['HOST'] or 'this machine'}"
