"""The test database as it was after its migrations, for tests that commit.

Django empties every table after each of them and makes permissions, content types and groups anew: a second and more
where there are fifty tables. Here the rows go that a test has left, and those come back that it has taken.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

T = TypeVar("T")

_SCHEMA = "as_migrated"
# In one round trip. Without foreign keys and triggers rows can come and go in any order; that takes a superuser.
_RESTORE = f"""
CREATE FUNCTION {_SCHEMA}.restore() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE
    name text;
    found boolean;
BEGIN
    FOREACH name IN ARRAY %(empty)s::text[] LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%%I)', name) INTO found;
        IF found THEN
            EXECUTE format('DELETE FROM public.%%I', name);
        END IF;
    END LOOP;
    FOREACH name IN ARRAY %(filled)s::text[] LOOP
        EXECUTE format(
            'SELECT EXISTS ((TABLE public.%%1$I EXCEPT TABLE {_SCHEMA}.%%1$I)'
            ' UNION ALL (TABLE {_SCHEMA}.%%1$I EXCEPT TABLE public.%%1$I))',
            name
        ) INTO found;
        IF found THEN
            EXECUTE format('DELETE FROM public.%%I', name);
            EXECUTE format('INSERT INTO public.%%1$I OVERRIDING SYSTEM VALUE TABLE {_SCHEMA}.%%1$I', name);
        END IF;
    END LOOP;
END
$$
"""


def remember() -> None:
    """From now on the rows that there are now are what each test that commits leaves behind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() != (True,):
            return  # a server that was given: Django's own way works everywhere
        cursor.execute(f"CREATE SCHEMA {_SCHEMA}")
        names = [name for name in connection.introspection.table_names(cursor) if name != "django_migrations"]
        filled = []
        for name in names:
            cursor.execute(f'SELECT EXISTS (SELECT FROM public."{name}")')
            if cursor.fetchone() == (True,):
                filled.append(name)
                cursor.execute(f'CREATE TABLE {_SCHEMA}."{name}" AS TABLE public."{name}"')
        cursor.execute(_RESTORE, {"empty": [name for name in names if name not in filled], "filled": filled})
    TransactionTestCase._fixture_teardown = _restore_after  # type: ignore[attr-defined] # not in the stubs


def restore() -> None:
    """Have the database hold what it held when it was remembered."""
    if TransactionTestCase._fixture_teardown is _restore_after:  # type: ignore[attr-defined]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {_SCHEMA}.restore()")
    else:
        call_command("flush", interactive=False, verbosity=0)


def kept(blocker: DjangoDbBlocker, make: Callable[[], T]) -> Iterator[T]:
    """For a fixture of a module: what `make` writes and returns is there for all its tests, and gone after the last.

    Each of them rolls back what it changes, so none of them may commit.
    """
    try:
        with blocker.unblock():
            made = make()
        yield made
    finally:
        with blocker.unblock():
            restore()


def _restore_after(case: Any) -> None:
    restore()
