"""`make run` as a person meets it: real launchers with all their processes."""

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.local import processes
from tests.demo.local.launching import Launcher, copy_of_project, free_port, processes_of
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find every process of a run"),
]
ORDINARY_USER = 23456
LOGIN_PAGE = "/admin/login/"

Launch = Callable[..., Launcher]


@pytest.fixture(scope="module")
def deep_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a folder whose name is longer than the path of a socket may be, and holds blanks."""
    folder = tmp_path_factory.mktemp("deep") / ("a folder with blanks " * 5).strip() / "project"
    folder.mkdir(parents=True)
    return copy_of_project(folder)


@pytest.fixture(scope="module")
def running(deep_project: Path) -> Iterator[Launcher]:
    """One launcher that serves the tests that leave it as it is."""
    launcher = Launcher(deep_project / ".data", project=deep_project)
    try:
        yield launcher.up()
    finally:
        launcher.end()
    assert processes_of(launcher.data) == set()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts launchers that are stopped at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: object, **options: object) -> Launcher:
            launcher = Launcher(*arguments, **options)  # type: ignore[arg-type]
            stack.callback(launcher.end)
            return launcher

        yield start


def test_a_deep_folder_with_blanks_runs_and_shows_address_and_login(running: Launcher) -> None:
    assert running.get(LOGIN_PAGE) == 200
    assert f"http://127.0.0.1:{running.port}/" in running.output()
    assert "Log in as admin with the password tidings-demo" in running.output()


def test_the_terminal_has_a_line_of_the_first_burst_and_then_address_and_login_again(running: Launcher) -> None:
    running.says(" attempts to deliver, ")
    wait_until(lambda: running.output().count("Ctrl-C stops it.") == 2)
    where = [
        f"Tidings is running at http://127.0.0.1:{running.port}/",
        "Log in as admin with the password tidings-demo",
        "Ctrl-C stops it.",
    ]
    lines = running.output().splitlines()
    first = lines.index("Ctrl-C stops it.")
    assert lines[first - 2 : first + 1] == where
    told = next(
        number for number, line in enumerate(lines) if re.match(r"\d\d:\d\d  \d+ (attempt|warning|error)", line)
    )
    assert told > first
    assert lines[told + 1 : told + 4] == where


def test_the_log_is_in_files_of_the_owner_and_not_on_the_terminal(running: Launcher) -> None:
    folder = running.data / "log"
    attempts = wait_until(lambda: (folder / "worker-1.log").read_text().count("event='attempt'"), timeout=60)
    assert attempts > 0
    assert "event=" not in running.output()
    assert f"The log is in {folder}/; make logs follows it." in running.output()
    assert {path.name for path in folder.glob("*.log")} == {
        *("postgres.log", "valkey.log", "prepare.log", "web.log", "worker-1.log", "beat.log")
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]} <= {0o700, 0o600}


def test_the_doctor_beside_it_finds_no_fault(running: Launcher, deep_project: Path) -> None:
    def faults() -> list[str]:
        answer = subprocess.run(
            [sys.executable, "manage.py", "doctor"],
            cwd=deep_project,
            env=running.environment,
            capture_output=True,
            text=True,
        )
        found = [line for line in answer.stdout.splitlines() if line.startswith("fault")]
        assert answer.returncode == (1 if found else 0), answer.stderr
        assert "itself failed" not in answer.stdout
        return found

    wait_until(lambda: faults() == [], timeout=60)  # beat comes round within some seconds


def test_a_start_that_fails_says_why_on_the_terminal(launch: Launch, tmp_path: Path) -> None:
    launcher = launch(tmp_path / "data", settings={"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"})
    assert launcher.process.wait(60) == 1
    said = launcher.output()
    assert "The preparation of the database failed." in said
    assert f"The end of {tmp_path}/data/log/prepare.log:" in said
    assert "Connection refused" in said
    assert said.endswith("Stopped.\n")


def test_keys_and_published_settings_are_for_the_owner_alone(running: Launcher) -> None:
    keys, published = running.data / "keys.env", running.data / "local.env"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (keys, published, _sockets(running))]
    assert modes == [0o600, 0o600, 0o700]
    expected = {*keys.read_text().splitlines(), "DEBUG=0", "DEMO=1", "POSTBACK_RETRY_DELAYS_SECONDS=2,4,8"}
    assert expected <= set(published.read_text().splitlines())


def test_manage_py_works_beside_it(running: Launcher, deep_project: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    answer = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", _COUNT_USERS],
        cwd=deep_project,
        env={**environment, "DATA_DIR": str(running.data)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "users named admin: 1" in answer.stdout


_COUNT_USERS = (
    "from django.contrib.auth import get_user_model as model; "
    "print('users named admin:', model().objects.filter(username='admin').count())"
)


def programs_of(data: Path) -> set[int]:
    """Without the processes that PostgreSQL starts and ends with each connection."""
    commands = {process: Path(f"/proc/{process}/cmdline") for process in processes_of(data)}
    return {
        process
        for process, command in commands.items()
        if command.exists() and not command.read_bytes().startswith(b"postgres: ")
    }


def test_a_second_launcher_on_the_same_data_is_refused(running: Launcher, launch: Launch, tmp_path: Path) -> None:
    before = programs_of(running.data)
    link = tmp_path / "link"
    link.symlink_to(running.data)
    second = launch(link)
    assert second.process.wait(20) == 1
    assert second.output() == (
        f"Tidings already runs on the data folder {running.data} (process {running.process.pid}). "
        "Stop it first, or give this copy its own DATA_DIR and PORT.\n"
    )
    assert programs_of(running.data) == before


def test_a_port_in_use_is_refused_before_anything_is_started(running: Launcher, launch: Launch, tmp_path: Path) -> None:
    second = launch(tmp_path / "data", port=running.port)
    assert second.process.wait(20) == 1
    assert second.output() == (
        f"Port {running.port} of 127.0.0.1 is in use. Stop what uses it, or set PORT to another one.\n"
    )
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_killed_worker_is_started_again(running: Launcher) -> None:
    (worker,) = wait_until(lambda: _workers(running))
    os.kill(worker, signal.SIGKILL)
    running.says("worker 1 was ended by SIGKILL unexpectedly; it starts again in 0.5 s.")
    assert wait_until(lambda: _workers(running) - {worker})


def test_two_copies_run_side_by_side_and_sigterm_ends_one_of_them(
    running: Launcher, launch: Launch, tmp_path: Path
) -> None:
    second = launch(tmp_path / "data").up()
    assert (running.get(LOGIN_PAGE), second.get(LOGIN_PAGE)) == (200, 200)
    second.process.terminate()
    assert second.process.wait(60) == 0
    assert processes_of(second.data) == set()
    assert (running.get(LOGIN_PAGE), second.get(LOGIN_PAGE)) == (200, 0)


def test_a_killed_launcher_leaves_nothing_and_the_next_one_goes_on(launch: Launch, tmp_path: Path) -> None:
    first = launch(tmp_path / "data").up()
    keys = (first.data / "keys.env").read_text()
    sockets = _sockets(first)
    earlier = processes_of(first.data)
    assert len(earlier) > 6  # launcher, two servers, web and its worker, worker, beat
    first.process.kill()
    first.process.wait()

    second = launch(first.data, port=first.port).up()
    assert processes_of(first.data) & earlier == set()
    assert not sockets.exists()
    assert second.get(LOGIN_PAGE) == 200
    assert (second.data / "keys.env").read_text() == keys

    sockets = _sockets(second)
    assert second.ctrl_c() == 0
    assert processes_of(second.data) == set()
    assert second.output().endswith("Stopped.\n")
    assert not sockets.exists()
    assert not (second.data / "local.env").exists()


def test_ctrl_c_while_starting_leaves_nothing(launch: Launch, tmp_path: Path) -> None:
    launcher = launch(tmp_path / "data").says("Preparing the database")
    assert launcher.ctrl_c() == 0
    assert processes_of(launcher.data) == set()


def test_a_second_ctrl_c_does_not_wait_for_a_worker_that_hangs(launch: Launch, tmp_path: Path) -> None:
    launcher = launch(tmp_path / "data").up()
    (worker,) = wait_until(lambda: _workers(launcher))
    os.kill(worker, signal.SIGSTOP)
    os.killpg(launcher.process.pid, signal.SIGINT)
    launcher.says("Stopping")
    assert launcher.ctrl_c() == 0
    assert "worker 1 did not stop in time and was killed." in launcher.output()
    assert processes_of(launcher.data) == set()


def test_a_port_that_is_none_is_refused(launch: Launch, tmp_path: Path) -> None:
    launcher = launch(tmp_path / "data", port=70000)
    assert launcher.process.wait(20) == 1
    assert launcher.output() == "PORT must be a number from 1 to 65535, not '70000'.\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs all the other tests already")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv to become an ordinary user")
def test_an_ordinary_user_without_an_entry_in_passwd_can_run_it(launch: Launch, deep_project: Path) -> None:
    """The capability to read lets the user reach this Python and this copy, wherever they are; nothing more."""
    folder = Path("/tmp") / f"tidings-user-{free_port()}"
    folder.mkdir()
    try:
        copy_of_project(folder)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, ORDINARY_USER, ORDINARY_USER)
        become = ["setpriv", "--reuid", str(ORDINARY_USER), "--regid", str(ORDINARY_USER), "--clear-groups"]
        may_read = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        launcher = launch(folder / "data", project=folder, before=[*become, *may_read]).up()
        assert launcher.get(LOGIN_PAGE) == 200
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in processes_of(launcher.data)} == {ORDINARY_USER}
        assert (launcher.data / "postgres").stat().st_uid == ORDINARY_USER
        assert launcher.ctrl_c() == 0
        assert processes_of(launcher.data) == set()
    finally:
        shutil.rmtree(folder)


def _sockets(launcher: Launcher) -> Path:
    published = (launcher.data / "local.env").read_text()
    socket = re.search(r"host=(\S+)", published)
    assert socket is not None
    return Path(socket[1])


def _workers(launcher: Launcher) -> set[int]:
    return {pid for pid in processes_of(launcher.data) if " config worker " in processes.command_line(pid)}
