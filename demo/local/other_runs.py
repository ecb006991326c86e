"""Other launchers on the same `DATA_DIR`: the lock against one that runs, the record of one that was killed.

`DATA_DIR/processes.json` names every running child of the launcher. A pid alone proves nothing, since the system
gives it to another program later: each stands with the identity of its process.
"""

import fcntl
import json
import os
import shutil
import signal
import time
from pathlib import Path

from demo.local import processes
from demo.local.processes import Child

_STOPPING = "stopping"
_PATIENCE_SECONDS = 60


class AlreadyRunning(Exception):
    """Another launcher holds the folder; the message says which."""


class DataFolderLock:
    """Held until the process ends, in whatever way. The file names its holder: `PID` or `PID stopping`."""

    def __init__(self, data: Path) -> None:
        """Takes the lock; waits for a launcher that is just stopping. Raises AlreadyRunning, OSError."""
        self._data = data
        self._file = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._taken():
            holder, _, state = os.pread(self._file, 100, 0).decode().strip().partition(" ")
            if state != _STOPPING or time.monotonic() > deadline:
                raise AlreadyRunning(
                    f"Tidings already runs on the data folder {data} (process {holder or 'unknown'}). "
                    "Stop it first, or give this copy its own DATA_DIR and PORT."
                )
            time.sleep(0.1)
        self._write(str(os.getpid()))

    def say_stopping(self) -> None:
        """Lets a new launcher wait instead of refusing to start."""
        self._write(f"{os.getpid()} {_STOPPING}")

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _write(self, content: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, content.encode(), 0)


class Records:
    """The children of this run, on disk. Shape: `{"sockets": path|null, "processes": [[pid, identity, signal]]}`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sockets: Path | None = None
        self._children: dict[int, list[object]] = {}

    def clear_away(self) -> bool:
        """Ends what a killed run has left, in the order of a stop; returns whether there was such a run."""
        try:
            record = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):  # ValueError: the disk was full, or the power gone
            return False
        for pid, identity, number in reversed(record["processes"]):
            if processes.identity(pid) == identity:
                processes.end_stranger(pid, signal.Signals(number))
        if record["sockets"]:
            shutil.rmtree(record["sockets"], ignore_errors=True)
        self._path.unlink()
        return True

    def keep_sockets(self, folder: Path) -> None:
        self._sockets = folder
        self._write()

    def add(self, child: Child) -> None:
        self._children[child.pid] = [child.pid, processes.identity(child.pid), int(child.service.death_signal)]
        self._write()

    def remove(self, child: Child) -> None:
        self._children.pop(child.pid, None)
        self._write()

    def close(self) -> None:
        """Nothing runs any more."""
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        unfinished = self._path.with_suffix(".unfinished")
        sockets = str(self._sockets) if self._sockets else None
        unfinished.write_text(json.dumps({"sockets": sockets, "processes": list(self._children.values())}))
        unfinished.replace(self._path)
