"""Fixtures that every test may need. The servers come from `tests.embedded`."""

from collections.abc import Generator, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from tests import emptying
from tests.distribution import ROOMS_OF_ONE_SYSTEM, FilesAndRooms
from tests.embedded import migrated_database
from tests.programs import environment_of_programs

_HERE = Path(__file__).parent
_ROOMS_OF_PROCESSES = ("benchmarks", "browser", "faults", "hostile", "production", "demo/local")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndRooms:
    return FilesAndRooms(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Marks what is slow by its room, its processes, its random examples or its migrations, before `-m` looks at the
    markers.

    The rooms of one system come first, so that at the end no process is at work on one of them alone.
    """
    for item in items:
        path = item.path.relative_to(_HERE)
        if (
            any(path.is_relative_to(room) for room in _ROOMS_OF_PROCESSES)
            or path.stem.endswith(("_migration", "_migrations"))
            or "subprocess_environment" in getattr(item, "fixturenames", ())
            or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        ):
            item.add_marker(pytest.mark.slow)
    yield
    items.sort(key=_room_of_one_system)


def _room_of_one_system(item: pytest.Item) -> str:
    """A key under which those rooms come first, each in one piece; all other tests keep their order."""
    room = item.path.relative_to(_HERE).parts[0]
    return room if room in ROOMS_OF_ONE_SYSTEM else "~"


@pytest.fixture(scope="session", autouse=True)
def settings_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pages name static files as they are: nobody has to collect them before a test. Passwords are hashed quickly.

    The addresses are those of the settings as they are now, whichever test is the first to ask for one.
    """
    import_module(settings.ROOT_URLCONF)
    quick = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    plain = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    empty: Path = tmp_path_factory.mktemp("static")
    with override_settings(STORAGES=plain, STATIC_ROOT=empty, PASSWORD_HASHERS=quick):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The test database begins as a copy of one that is migrated already."""
    if template := migrated_database():
        settings.DATABASES["default"]["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tests that commit leave the database as it is now, in milliseconds. Before it is dropped, the connections that
    threads of tests have left open are ended.
    """
    with django_db_blocker.unblock():
        emptying.remember()
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def subprocess_environment(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, str]]:
    """The environment for a program of Tidings that works on the test database and ends before the test does.

    It sees what is committed, so the test itself needs `django_db(transaction=True)`.
    """
    with environment_of_programs(django_db_blocker, "a program of a test") as environment:
        yield environment


@pytest.fixture(autouse=True)
def no_banners_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is looked up for each page, not kept in the process."""
    monkeypatch.setattr("backoffice.banners.KEPT_SECONDS", 0.0)
