import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.production.installation import Installation
from tests.production.programs import PostgreSQL, Redis
from tests.servers.receiver import Receiver
from tests.waiting import wait_until


def folder_for_all() -> Path:
    """A new folder that servers may enter, whoever they run as."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-production-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = folder_for_all()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def postgres() -> Iterator[PostgreSQL]:
    """One whose databases are serializable unless somebody says otherwise."""
    folder = folder_for_all()
    server = PostgreSQL(folder, "default_transaction_isolation=serializable").start()
    try:
        wait_until(server.answers, timeout=60)
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def redis() -> Iterator[Redis]:
    folder = folder_for_all()
    server = Redis(folder).start()
    try:
        wait_until(server.answers, timeout=60)
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Prepared:
    """A migrated database to copy, and a key of the API that is good in the copies."""

    database: str
    key: str


@pytest.fixture(scope="package")
def prepared(postgres: PostgreSQL) -> Iterator[Prepared]:
    folder = folder_for_all()
    postgres.create("prepared")
    try:
        tidings = Installation(folder, DATABASE_URL=postgres.url("prepared"))
        tidings.prepare(pages=False)
        yield Prepared("prepared", tidings.key)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def install(folder: Path) -> Iterator[Callable[..., Installation]]:
    """`install(DATABASE_URL=..., REDIS_URL=...)`: a clone that may call receivers on loopback.

    Also with the other arguments of `Installation`.
    """
    installations: list[Installation] = []

    def install(**settings: Any) -> Installation:
        place = folder / str(len(installations))
        place.mkdir()
        installation = Installation(place, POSTBACK_ALLOWED_NETWORKS="127.0.0.0/8", **settings)
        installations.append(installation)
        return installation

    yield install
    for installation in installations:
        installation.close()
