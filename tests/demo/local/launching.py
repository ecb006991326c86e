"""Real launchers for tests: started as a person would, found again by what the system knows of their processes."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from config.environment import NAMES
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[3]
START_SECONDS = 100
_PARTS = (
    *("api", "backoffice", "channels_app", "config", "demo", "notifications", "orders"),
    *("templates", "manage.py"),
)


def free_port() -> int:
    """A port that nobody has, and that no connection gets meanwhile: those leave from higher ones (Linux, macOS)."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def copy_of_project(target: Path) -> Path:
    """What `make run` needs of the project, in another folder."""
    for name in _PARTS:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return target


def processes_of(data: Path) -> set[int]:
    """Every living process that was given `data`, names it on its command line, or works inside it."""
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            alive = (folder / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            words = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            place = str((folder / "cwd").readlink())
        except OSError:  # it has just ended
            continue
        if alive and (os.fsencode(data) in words or place.startswith(str(data))):
            found.add(int(folder.name))
    return found


class Launcher:
    """One `python -m demo.local`. `before` is put before the command, such as a change of user.

    `settings` are variables of its environment, which holds none of the tests' own. `environment` has those that a
    program beside it needs to find it.
    """

    def __init__(
        self,
        data: Path,
        port: int | None = None,
        project: Path = PROJECT,
        before: Sequence[str] = (),
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.data = data
        self.port = port or free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in {*NAMES, "MAKELEVEL"}},
            "DATA_DIR": str(data),
        }
        self._log = data.with_name(data.name + ".log")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", "demo.local"],
                cwd=project,
                env={**self.environment, **settings, "PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal of its own: its Ctrl-C is not ours
            )

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str) -> "Launcher":
        """Waits for the text."""

        def said() -> bool:
            ended = self.process.poll() is not None
            if text in self.output():
                return True
            assert not ended, f"the launcher ended with {self.process.returncode}:\n{self.output()}"
            return False

        wait_until(said, START_SECONDS)
        return self

    def up(self) -> "Launcher":
        return self.says("Ctrl-C stops it.")

    def get(self, path: str) -> int:
        """The status of the answer; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def ctrl_c(self) -> int:
        """As the terminal does it: to the whole foreground group. Returns the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(START_SECONDS)

    def end(self) -> None:
        """For the end of a test, in whatever state it is."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(START_SECONDS)
