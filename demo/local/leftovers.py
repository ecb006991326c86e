"""What a killed run has left behind, and how the next one clears it away.

`DATA_DIR/processes.json` names every child of the launcher that runs at the moment. A number alone proves
nothing, since the system gives it to another program later: each stands with the identity of its process.
"""

import json
import shutil
import signal
from pathlib import Path

from demo.local import processes
from demo.local.processes import Child


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
