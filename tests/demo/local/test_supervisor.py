"""What the terminal is told of a program that does not stay up."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local import supervisor
from demo.local.other_runs import Records
from demo.local.processes import Service
from demo.local.supervisor import RunFailed, Supervisor

SAYS_WHY = ["sh", "-c", "echo one; echo two; echo three; echo There is no room >&2; exit 3"]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervised(said: list[str], tmp_path: Path) -> Iterator[Supervisor]:
    records = Records(tmp_path / "processes.json")
    run = Supervisor(records, tmp_path, said.append)
    run.use(os.environ)
    yield run
    records.close()


def test_one_that_ends_is_told_with_the_end_of_its_log(
    supervised: Supervisor, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 0.01)
    log = tmp_path / "web.log"
    supervised.start(Service("web", SAYS_WHY, log=log))
    with pytest.raises(RunFailed) as failed:
        supervised.watch(lambda: None)
    assert said[:2] == [
        "web ended with code 3 unexpectedly; it starts again in 0.01 s.",
        f"The end of {log}:\ntwo\nthree\nThere is no room",
    ]
    assert str(failed.value).startswith(f"web ended with code 3 5 times in a row.\nThe end of {log}:\n")
    assert str(failed.value).endswith("There is no room")


def test_one_that_runs_once_and_fails_is_told_with_the_end_of_its_log(supervised: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "prepare.log"
    with pytest.raises(RunFailed) as failed:
        supervised.run(Service("The preparation", SAYS_WHY, log=log))
    assert str(failed.value) == f"The preparation failed.\nThe end of {log}:\nThere is no room"


def test_what_it_writes_to_stdout_is_returned_and_the_rest_is_in_its_log(
    supervised: Supervisor, tmp_path: Path
) -> None:
    log = tmp_path / "prepare.log"
    command = ["sh", "-c", "echo admin secret; echo loading >&2"]
    assert supervised.run(Service("The preparation", command, log=log)) == "admin secret\n"
    assert log.read_text() == "loading\n"
