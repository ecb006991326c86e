"""The embedded servers under accounts that PostgreSQL does not like."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from demo.local import processes
from demo.local.servers import Postgres, ServerError, socket_folder
from tests.waiting import wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change to another user")


@pytest.fixture
def sockets() -> Iterator[Path]:
    folder = socket_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that does not permit user namespaces."""

    def refused(mapped_to: int) -> None:
        raise OSError(1, "unshare")

    monkeypatch.setattr(processes, "_enter_user_namespace", refused)


def cluster_answers(data: Path, sockets: Path) -> tuple[str, str, str]:
    """Starts, asks and stops; the answer is the encoding, the locale and the upper case of an umlaut."""
    postgres = Postgres(data, sockets, data.with_name("postgres.log"))
    child = processes.start(postgres.service(), os.environ, Path("/"))
    try:
        wait_until(postgres.ready)
        with psycopg.connect(postgres.url) as connection:
            row = connection.execute(
                "SELECT pg_encoding_to_char(encoding), datlocale, upper('ä') FROM pg_database "
                "WHERE datname = current_database()"
            ).fetchone()
            assert row is not None
            return row
    finally:
        assert processes.stop([child]) == []


def test_a_cluster_speaks_unicode_and_starts_again(tmp_path: Path, sockets: Path) -> None:
    expected = ("UTF8", "C.UTF-8", "Ä")
    assert [cluster_answers(tmp_path / "postgres", sockets) for _ in range(2)] == [expected, expected]


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, as the fallback itself does")
def test_without_namespaces_root_steps_down_to_nobody(no_namespaces: None, tmp_path: Path, sockets: Path) -> None:
    """pytest's folders are closed to others, as root's home is."""
    data = tmp_path / "postgres"
    assert [cluster_answers(data, sockets)[0] for _ in range(2)] == ["UTF8", "UTF8"]
    assert data.stat().st_uid == pwd.getpwnam("nobody").pw_uid


@as_root
def test_without_namespaces_and_setpriv_root_is_told_what_to_do(
    no_namespaces: None, tmp_path: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match=r"Run as an ordinary user, or set DATABASE_URL to your own server\."):
        Postgres(tmp_path / "postgres", sockets, tmp_path / "postgres.log")
    assert list(tmp_path.iterdir()) == []


@as_root
def test_root_runs_the_cluster_of_another_user_as_that_user(sockets: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "postgres"
        cluster_answers(data, sockets)
        Path(folder).chmod(0o711)
        for path in (data, *data.rglob("*")):
            os.chown(path, 23456, 23456, follow_symlinks=False)
        assert cluster_answers(data, sockets)[0] == "UTF8"
        assert {path.stat().st_uid for path in data.rglob("*")} == {23456}


def test_sockets_have_a_short_private_folder_under_a_deep_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    folder = socket_folder()
    try:
        assert len(str(folder / ".s.PGSQL.5432")) < 100
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        folder.rmdir()
