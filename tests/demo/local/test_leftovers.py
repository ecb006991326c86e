"""What the next start clears away after a kill, and what it leaves alone."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local import processes
from demo.local.other_runs import Records
from demo.local.processes import Child, Service
from demo.local.servers import Postgres, socket_folder
from tests.waiting import wait_until

SLEEPER = Service("sleeper", ["sleep", "600"])


@pytest.fixture
def sleeper() -> Iterator[Child]:
    child = processes.start(SLEEPER, os.environ, Path("/"))
    yield child
    child.kill()


def test_a_recorded_process_is_ended_with_its_sockets(sleeper: Child, tmp_path: Path) -> None:
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    killed = Records(tmp_path / "processes.json")
    killed.keep_sockets(sockets)
    killed.add(sleeper)

    assert Records(tmp_path / "processes.json").clear_away() is True
    assert sleeper.process.wait(10) == -signal.SIGKILL
    assert not sockets.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_stranger_that_was_given_the_number_lives_on(sleeper: Child, tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    path.write_text(json.dumps({"sockets": None, "processes": [[sleeper.pid, "an earlier start", 9]]}))
    assert Records(path).clear_away() is True
    assert sleeper.alive()


def test_without_an_earlier_run_there_is_nothing_to_clear(tmp_path: Path) -> None:
    assert Records(tmp_path / "processes.json").clear_away() is False


def test_an_ended_process_has_no_identity() -> None:
    ended = subprocess.Popen(["true"], start_new_session=True)
    wait_until(lambda: processes.identity(ended.pid) is None)
    ended.wait()
    assert processes.identity(os.getpid()) == processes.identity(os.getpid()) is not None


def test_postgres_starts_over_a_pid_file_that_names_a_stranger(sleeper: Child, tmp_path: Path) -> None:
    sockets = socket_folder()
    postgres = Postgres(tmp_path / "postgres", sockets, tmp_path / "postgres.log")
    service = postgres.service()
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{sleeper.pid}\n{tmp_path / 'postgres'}\n")
    service = postgres.service()
    child = processes.start(service, os.environ, Path("/"))
    try:
        wait_until(postgres.ready)
        assert sleeper.alive()
    finally:
        processes.stop([child])
        sockets.rmdir()


def test_a_postgres_that_still_runs_on_the_cluster_is_stopped(tmp_path: Path) -> None:
    sockets = socket_folder()
    postgres = Postgres(tmp_path / "postgres", sockets, tmp_path / "postgres.log")
    first = processes.start(postgres.service(), os.environ, Path("/"))
    wait_until(postgres.ready)
    second = processes.start(postgres.service(), os.environ, Path("/"))
    try:
        assert first.process.wait(10) == 0
        wait_until(postgres.ready)
        assert second.alive()
    finally:
        processes.stop([second])
        sockets.rmdir()
