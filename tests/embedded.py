"""Pytest plugin: a fresh PostgreSQL and Valkey for the session, before Django reads its settings.

Loaded by `-p tests.embedded` in pyproject.toml; `python -m tests.embedded SCRIPT ...` runs a script with them, and with
a PostgreSQL that writes to the disk as it does in production.
Where DATABASE_URL or REDIS_URL is set, that server is used instead. Processes that tests start inherit
everything through the environment. The tests' PostgreSQL begins as a copy of a migrated cluster, see `tests.cluster`.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet

from config.environment import NAMES
from demo.local import processes
from demo.local.processes import Child
from demo.local.servers import Postgres, Valkey, socket_folder
from tests.cluster import NOTHING_IS_KEPT, copy_cluster, make_cluster

_SERVERS = ("DATABASE_URL", "REDIS_URL")
_STARTED_HERE = "TIDINGS_TEST_SERVERS"
_READY_SECONDS = 60
_NOBODY = "postgres://nobody@/none?host=/nonexistent"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """A wrapper, since wrappers run before every other implementation: pytest-django's imports the settings."""
    parallel = bool(getattr(early_config.known_args_namespace, "numprocesses", None))
    distributes = parallel and "PYTEST_XDIST_WORKER" not in os.environ
    provide_servers(early_config.add_cleanup, NOTHING_IS_KEPT, migrated=True, started=not distributes)
    return (yield)


def migrated_database() -> str | None:
    """The name of the database whose tables are there already; None on a server that was given."""
    here = "DATABASE_URL" in os.environ.get(_STARTED_HERE, "").split(",")
    return urlsplit(os.environ["DATABASE_URL"]).path.strip("/") if here else None


def provide_servers(
    add_cleanup: Callable[[Callable[[], None]], object],
    postgres_settings: Sequence[str] = (),
    migrated: bool = False,
    started: bool = True,
) -> None:
    """Start what is not given by the environment, and put it there; cleanups are to run last in, first out.

    `migrated`: the database has its tables. Not `started`: only what the processes of a parallel run share is made.
    """
    folder = Path(tempfile.mkdtemp(prefix="tidings-tests-"))
    add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    started_here = os.environ.get(_STARTED_HERE, "").split(",")
    given = {
        name: os.environ[name] for name in _SERVERS if os.environ.get(name, "").strip() and name not in started_here
    }
    for name in NAMES:  # the tests' own settings, not those of whoever runs them
        os.environ.pop(name, None)
    os.environ |= {
        "DEMO": "1",
        "DATA_DIR": str(folder),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "SECRETS_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        **given,
    }
    # The processes of a parallel run inherit this, and start servers of their own.
    os.environ[_STARTED_HERE] = ",".join(name for name in _SERVERS if name not in given)
    sockets = socket_folder()
    add_cleanup(lambda: shutil.rmtree(sockets, ignore_errors=True))
    if not started:
        if "DATABASE_URL" not in given:
            make_cluster()
        os.environ |= {"DATABASE_URL": _NOBODY, "REDIS_URL": "redis://127.0.0.1:1", **given}
        return
    if "DATABASE_URL" not in given:
        if migrated:
            copy_cluster(folder / "postgres")
        postgres = Postgres(folder / "postgres", sockets, folder / "postgres.log", postgres_settings)
        _start(postgres, add_cleanup)
        os.environ["DATABASE_URL"] = postgres.url
    if "REDIS_URL" not in given:
        valkey = Valkey(sockets, folder / "valkey.log")
        _start(valkey, add_cleanup)
        os.environ["REDIS_URL"] = valkey.url


def _start(server: Postgres | Valkey, add_cleanup: Callable[[Callable[[], None]], object]) -> None:
    child = processes.start(server.service(), os.environ, folder=Path("/"))
    add_cleanup(lambda: _stop(child))
    _wait_until_ready(server.ready, child)


def _stop(child: Child) -> None:
    processes.stop([child])


def _wait_until_ready(ready: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not ready():
        if not child.alive() or time.monotonic() > deadline:
            pytest.exit(f"{child.service.name} does not start:\n{child.service.last_words()}", returncode=3)
        time.sleep(0.02)


if __name__ == "__main__":
    with contextlib.ExitStack() as cleanups:
        provide_servers(cleanups.callback)
        sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))
