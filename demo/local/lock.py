"""One launcher for each `DATA_DIR`."""

import fcntl
import os
import time
from pathlib import Path

_STOPPING = "stopping"
_PATIENCE_SECONDS = 60


class AlreadyRunning(Exception):
    """Another launcher holds the folder; the message says which."""


class DataFolderLock:
    """Held until the process ends, in whatever way. The file tells who holds it: `PID` or `PID stopping`."""

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
