"""Programs of Tidings in processes of their own that work on the test database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from tests.waiting import wait_until


@contextmanager
def environment_of_programs(blocker: DjangoDbBlocker, name: str) -> Iterator[dict[str, str]]:
    """The environment for programs that end before this does. They are called `name` in PostgreSQL.

    What PostgreSQL still does for those of them that were killed is waited for: it may commit after they are gone, and
    the next test would find that.
    """
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    yield {
        **os.environ,
        "DATABASE_URL": urlunsplit(url),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PGAPPNAME": name,
    }
    with blocker.unblock():
        wait_until(lambda: not _connected(name), timeout=60)


def _connected(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()", [name]
        )
        return bool(cursor.rowcount)
