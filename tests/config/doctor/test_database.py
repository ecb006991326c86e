"""What the doctor says of PostgreSQL, asked of a real one."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from config.doctor import database
from tests.config.doctor.looking import look

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy with other tests."""
    monkeypatch.setattr(database, "CONNECT_SECONDS", 30)


@contextmanager
def connecting_as(**changed: Any) -> Iterator[None]:
    """Until then, whoever connects anew does it so. The pool of the tests stays as it is."""
    options = {name: changed.pop(name) for name in ("sslmode", "max_size") if name in changed}
    known = connection.settings_dict
    before = {**known}
    known.update(changed)
    known["OPTIONS"] = {**known["OPTIONS"], **{name: options[name] for name in options if name != "max_size"}}
    if "max_size" in options:
        known["OPTIONS"]["pool"] = {**known["OPTIONS"]["pool"], "max_size": options["max_size"]}
    try:
        yield
    finally:
        known.update(before)


@pytest.fixture
def role() -> Iterator[Callable[[str], str]]:
    """`role("SUPERUSER")` makes one that is dropped at the end, and returns its name."""

    def execute(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    def make(attributes: str) -> str:
        execute(f"CREATE ROLE doctors_role LOGIN {attributes}")
        return "doctors_role"

    yield make
    execute("DROP OWNED BY doctors_role")
    execute("DROP ROLE doctors_role")


def test_a_server_that_answers_is_named_with_its_version() -> None:
    ((status, says, do),) = look("database")
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0]
    assert (status, do) == ("ok", "")
    assert says.startswith(f"PostgreSQL {version} answers (")


def test_one_that_refuses_is_a_fault_that_says_why() -> None:
    with connecting_as(HOST="127.0.0.1", PORT="1"):
        ((status, says, do),) = look("database")
    assert (status, do) == ("fault", "Start it, or mend DATABASE_URL.")
    assert "Connection refused" in says


def test_an_old_one_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OLDEST_VERSION", 99)
    ((status, _, do),) = look("database")
    assert (status, do) == ("fault", "Upgrade it: Tidings needs PostgreSQL 99 or newer.")


def test_a_way_that_is_not_encrypted_is_a_warning_unless_it_is_within_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "is_here", lambda _host: False)
    ((status, says, do),) = look("database")
    assert status == "warning"
    assert says.endswith("What travels there is not encrypted.")
    assert "sslmode=verify-full" in do


def test_a_migration_that_is_missing_is_a_fault() -> None:
    recorded = MigrationRecorder.Migration.objects.get(app="orders", name="0001_initial")
    recorded.delete()
    try:
        told = look("migrations")
    finally:
        recorded.save(force_insert=True)
    assert told == [("fault", "Migrations are not applied: orders.0001_initial. Run manage.py migrate.", "")]
    assert look("migrations") == [("ok", "All are applied, and the database can be written to.", "")]


def test_a_role_without_rights_is_a_fault_that_says_which(role: Callable[[str], str]) -> None:
    with connecting_as(USER=role("")):
        ((status, says, do),) = look("role")
    assert status == "fault"
    assert says.startswith("doctors_role may not read and write ")
    assert " more tables." in says
    assert do == "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO doctors_role;"


def test_what_is_told_to_be_done_mends_it(role: Callable[[str], str]) -> None:
    name = role("")
    with connecting_as(USER=name):
        ((_, _, do),) = look("role")
    with connection.cursor() as cursor:
        cursor.execute(do)
    with connecting_as(USER=name):
        assert look("role") == [
            ("ok", "doctors_role may read and write every table; another role runs manage.py migrate.", "")
        ]


def test_a_role_that_may_do_more_than_is_needed_is_a_warning(role: Callable[[str], str], settings: Settings) -> None:
    settings.DEMO = False
    with connecting_as(USER=role("SUPERUSER CREATEDB")):
        ((status, says, do),) = look("role")
    assert (status, says) == ("warning", "doctors_role may do more than Tidings needs (SUPERUSER, CREATEDB).")
    assert "ALTER ROLE doctors_role NOSUPERUSER NOCREATEDB;" in do


def test_pools_that_fit_are_ok_and_one_that_does_not_is_a_fault() -> None:
    ((status, says, _),) = look("connections")
    assert status == "ok"
    assert "processes of web, worker and beat fit with full pools of 12" in says
    with connecting_as(max_size=900):
        ((status, says, do),) = look("connections")
    assert status == "fault"
    assert "; 0 processes of web, worker and beat fit with full pools of 900." in says
    assert do == "Lower DATABASE_POOL_SIZE, raise max_connections of the server, or put PgBouncer before it."


def test_the_roles_own_limit_counts_where_it_is_lower(role: Callable[[str], str]) -> None:
    with connecting_as(USER=role("CONNECTION LIMIT 20"), max_size=10):
        ((status, says, do),) = look("connections")
    assert (status, says) == (
        "warning",
        "1 of 20 are in use; 2 processes of web, worker and beat fit with full pools of 10.",
    )
    assert "raise the role's CONNECTION LIMIT" in do


def test_clocks_that_differ_are_told_with_which_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look("clock") == [("ok", "This machine and the database agree.", "")]
    now = time.time
    for seconds, status, sentence in [
        (40, "warning", r"This machine is \d+ s ahead of the database\."),
        (-40, "warning", r"This machine is \d+ s behind the database\."),
        (7200, "fault", r"This machine is 1[12]\d min ahead of the database\."),
    ]:
        monkeypatch.setattr(database, "_now", lambda seconds=seconds: now() + seconds)
        ((found, says, _),) = look("clock")
        assert found == status
        assert re.fullmatch(sentence, says)


def test_its_size_is_told() -> None:
    ((status, says, _),) = look("database size")
    assert status == "ok"
    assert "the log is kept for 90 days" in says
