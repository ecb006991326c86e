"""The logs of a run: a file for each program in `DATA_DIR/log/`, begun anew by each run and bounded in size.

What a file held before stays beside it as `NAME.log.1`: that of the run before, or what came before it grew too large.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from demo.local.folders import log_folder

MAX_BYTES = 10 * 1024 * 1024
_READ_AT_ONCE = 1024 * 1024


class Logs:
    """The files that the programs of a run append to."""

    def __init__(self, data: Path) -> None:
        self.folder = log_folder(data)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._files: list[LogFile] = []

    def begin(self, name: str) -> Path:
        """An empty file for the program of this name; what the run before has left is put aside."""
        path = self.folder / f"{name}.log"
        with contextlib.suppress(FileNotFoundError):
            path.replace(_put_aside(path))
        path.touch(mode=0o600)
        self._files.append(LogFile(path))
        return path

    def new_lines(self) -> Iterator[str]:
        """What the programs have written since the last call; then the files are kept within their size."""
        for file in self._files:
            yield from file.new_lines()
            file.bound()


class LogFile:
    """Follows a file that others append to, also when it is begun anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._rest = b""

    def skip_to_the_last(self, lines: int) -> None:
        """Begin with the last so many lines, as far as they are within a reasonable piece of the end."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _READ_AT_ONCE)
            file.seek(start)
            kept = file.read().splitlines(keepends=True)[-lines:]
            self._read = file.tell() - sum(map(len, kept))

    def new_lines(self) -> Iterator[str]:
        """The whole lines that were added, without their ends, a megabyte at most at once."""
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._read:
                    self._read, self._rest = 0, b""
                file.seek(self._read)
                piece = file.read(_READ_AT_ONCE)
        except OSError:  # somebody has removed it
            return
        self._read += len(piece)
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")

    def bound(self) -> None:
        """Put aside what the file holds once that is too much.

        The programs keep it open, so it is emptied and not replaced: they append, and so begin it anew.
        """
        with contextlib.suppress(OSError):
            if self.path.stat().st_size <= MAX_BYTES:
                return
            with contextlib.suppress(OSError):  # the disk may be full
                shutil.copyfile(self.path, _put_aside(self.path))
            os.truncate(self.path, 0)
            self._read, self._rest = 0, b""


def _put_aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
