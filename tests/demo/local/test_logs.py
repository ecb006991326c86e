"""The log of a run: a file a program, begun anew with each run, bounded, followed by `make logs`."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local import logs
from demo.local.logs import LogFile, Logs
from tests.demo.local.launching import PROJECT
from tests.waiting import wait_until


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_run_begins_each_file_anew_and_puts_aside_what_the_run_before_wrote(tmp_path: Path) -> None:
    append(Logs(tmp_path).begin("web"), "of the first run\n")
    append(Logs(tmp_path).begin("web"), "of the second run\n")
    third = Logs(tmp_path).begin("web")
    assert third == tmp_path / "log" / "web.log"
    assert third.read_text() == ""
    assert {path.name: path.read_text() for path in (tmp_path / "log").iterdir()} == {
        "web.log": "",
        "web.log.1": "of the second run\n",
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "log", third)] == [0o700, 0o600]


def test_lines_are_read_once_and_whole(tmp_path: Path) -> None:
    files = Logs(tmp_path)
    web, beat = files.begin("web"), files.begin("beat")
    append(web, "one\ntw")
    append(beat, "of beat\n")
    assert list(files.new_lines()) == ["one", "of beat"]
    append(web, "o\nthree\n")
    assert list(files.new_lines()) == ["two", "three"]
    assert list(files.new_lines()) == []


def test_a_file_is_bounded_while_a_program_holds_it_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 1000)
    files = Logs(tmp_path)
    path = files.begin("worker-1")
    seen = []
    with path.open("a") as program:
        for number in range(1000):
            program.write(f"line {number:05}\n")
            if number % 50 == 49:
                program.flush()
                seen += list(files.new_lines())
    seen += list(files.new_lines())
    assert seen == [f"line {number:05}" for number in range(1000)]
    assert path.stat().st_size <= 1000 + 50 * 11
    assert path.with_name("worker-1.log.1").stat().st_size <= 1000 + 50 * 11
    assert path.read_bytes().count(b"\0") == 0


def test_a_log_that_somebody_removes_ends_nothing(tmp_path: Path) -> None:
    files = Logs(tmp_path)
    files.begin("web").unlink()
    assert list(files.new_lines()) == []


def test_following_begins_with_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("".join(f"{number}\n" for number in range(100)))
    file = LogFile(path)
    file.skip_to_the_last(3)
    append(path, "new\n")
    assert list(file.new_lines()) == ["97", "98", "99", "new"]


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`make logs` on the data folder of the test, its output in `followed`."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "web.log").write_text("before\n")
    with (tmp_path / "followed").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-S", "-m", "demo.local.follow"],  # without any package
            cwd=PROJECT,
            env={**os.environ, "DATA_DIR": str(tmp_path)},
            stdout=output,
        )
    yield process
    process.kill()
    process.wait()


def test_make_logs_names_the_program_of_each_line_and_follows(
    follower: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    followed, web = tmp_path / "followed", tmp_path / "log" / "web.log"
    wait_until(lambda: followed.read_text() == "web      | before\n")
    append(web, "meanwhile\n")
    wait_until(lambda: "web      | meanwhile\n" in followed.read_text())
    append(tmp_path / "log" / "worker-1.log", "of a program that came later\n")
    wait_until(lambda: "worker-1 | of a program that came later\n" in followed.read_text())
    os.truncate(web, 0)
    append(web, "anew\n")
    wait_until(lambda: "web      | anew\n" in followed.read_text())
    follower.send_signal(signal.SIGINT)
    assert follower.wait(20) == 0


def test_make_logs_says_where_there_is_none(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-S", "-m", "demo.local.follow"],
        cwd=PROJECT,
        env={**os.environ, "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == f"There is no log in {tmp_path}/log: make run writes it there.\n"
