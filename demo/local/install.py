"""Makes the virtual environment and installs into it, and says meanwhile how far it is.

`python -m demo.local.install FOLDER REQUIREMENTS`; runs with the Python that the environment is made of, which may be
an old one: nothing newer is used here than it takes to say so.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

OLDEST_PYTHON = (3, 11)
_KEPT_LINES = 15
_EVERY_SECONDS = 10.0
# What pip says of each requirement once.
_ONE_MORE = re.compile(r"(Collecting|Requirement already satisfied:|Ignoring|Processing) ")
_REQUIREMENT = re.compile(r"^[A-Za-z0-9.~/]", re.MULTILINE)


def main(folder: Path, requirements: Path) -> int:
    """Returns the exit code; what went wrong stands on stderr."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        oldest, this = (".".join(map(str, version[:2])) for version in (OLDEST_PYTHON, sys.version_info))
        print(f"Tidings needs Python {oldest} or newer; this is {this}. Say which with PYTHON=...", file=sys.stderr)
        return 1
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"Making {folder} ...", flush=True)
        if code := subprocess.call([sys.executable, "-m", "venv", str(folder)]):
            return code
    return _install(python, requirements)


def _install(python: Path, requirements: Path) -> int:
    wanted = len(_REQUIREMENT.findall(requirements.read_text(encoding="utf-8")))
    print(f"Installing {wanted} packages of {requirements}: a minute or two where none is there yet.", flush=True)
    progress = Progress(wanted)
    # Without buffering (-u), or nothing would be seen of it until the end.
    options = ["--disable-pip-version-check", "--no-color", "--progress-bar", "off", "-r", str(requirements)]
    command = [str(python), "-u", "-m", "pip", "install", *options]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
    assert pip.stdout is not None  # noqa: S101 - it was asked for
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with pip.stdout as output:
        for line in output:
            last.append(line)
            progress.see(line)
    code = pip.wait()
    progress.end()
    if code:
        print("".join(last), end="", file=sys.stderr)
        print(f"pip could not install {requirements}; what it said stands above.", file=sys.stderr)
    return code


class Progress:
    """A line that is written anew on a terminal, and now and then elsewhere."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._seen = 0
        self._on_terminal = sys.stdout.isatty()
        self._told_at = time.monotonic()

    def see(self, line: str) -> None:
        """Take notice of a line of pip."""
        if _ONE_MORE.match(line):
            self._seen = min(self._seen + 1, self._wanted)
            self._tell(f"  {self._seen} of {self._wanted} looked up")
        elif line.startswith("Installing collected packages"):
            self._tell("  all are here; now they are unpacked ...", at_once=True)

    def end(self) -> None:
        if self._on_terminal:
            print(flush=True)

    def _tell(self, text: str, *, at_once: bool = False) -> None:
        if self._on_terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
        elif at_once or time.monotonic() - self._told_at >= _EVERY_SECONDS:
            print(text, flush=True)
            self._told_at = time.monotonic()


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
    except KeyboardInterrupt:
        sys.exit("Stopped. The next call goes on from there.")
