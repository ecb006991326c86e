"""Fixtures that every test may need. The servers come from `tests.embedded`."""

import gc
from collections.abc import Generator, Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.test import client as test_client
from pytest_django.plugin import DjangoDbBlocker

from backoffice import banners
from tests import emptying
from tests.distribution import ROOMS_OF_ONE_SYSTEM, FilesAndRooms
from tests.embedded import migrated_database
from tests.programs import environment_of_programs
from tests.signing_in import logged_in

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
    for path, of_file in groupby(items, lambda item: item.path):
        slow = _is_slow(path)
        for item in of_file:
            if (
                slow
                or "subprocess_environment" in getattr(item, "fixturenames", ())
                or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
            ):
                item.add_marker(pytest.mark.slow)
    yield
    items.sort(key=_room_of_one_system)


def _is_slow(path: Path) -> bool:
    within = path.relative_to(_HERE)
    return any(within.is_relative_to(room) for room in _ROOMS_OF_PROCESSES) or within.stem.endswith(
        ("_migration", "_migrations")
    )


def _room_of_one_system(item: pytest.Item) -> str:
    """A key under which those rooms come first, each in one piece; all other tests keep their order."""
    room = item.nodeid.split("/")[1]
    return room if room in ROOMS_OF_ONE_SYSTEM else "~"


def pytest_collection_finish() -> None:
    """What is there by now stays: the garbage collector need not walk through thousands of tests time and again, and
    it looks for what the pages of a test leave less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


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


@pytest.fixture(scope="session", autouse=True)
def context_of_pages() -> Iterator[None]:
    """`response.context` is that with which the page began. Django's client copies those of all included templates."""
    store = test_client.store_rendered_templates  # type: ignore[attr-defined] # not in the stubs

    def store_first(kept: dict[str, Any], **rendered: Any) -> None:
        if "context" not in kept:
            store(kept, **rendered)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_client, "store_rendered_templates", store_first)
        yield


@pytest.fixture
def admin_client(admin_user: User) -> Client:
    """In place of pytest-django's, which takes the way through the login."""
    return logged_in(admin_user)


@pytest.fixture(autouse=True)
def banners_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is looked up for the first page of a test and kept for the others, however long they take."""
    monkeypatch.setattr("backoffice.banners.KEPT_SECONDS", float("inf"))
    banners.forget()


@pytest.fixture
def banners_of_each_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is looked up for each page."""
    monkeypatch.setattr("backoffice.banners.KEPT_SECONDS", 0.0)
