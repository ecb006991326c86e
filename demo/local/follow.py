"""`make logs`: follows the log of a run that `make run` has started, whichever of its programs writes.

Needs nothing but Python: it may be called before, while and after a copy runs.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from demo.local.folders import data_folder, log_folder
from demo.local.logs import LogFile

PROJECT = Path(__file__).resolve().parents[2]
LINES_OF_BEFORE = 20
_POLL_SECONDS = 0.2


def main() -> int:
    """Follow until Ctrl-C; returns the exit code."""
    folder = log_folder(data_folder(PROJECT))
    if not folder.is_dir():
        print(f"There is no log in {folder}: make run writes it there.", file=sys.stderr)
        return 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell has it ignored in the background
    try:
        _follow(folder)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # whoever read has enough, and Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _follow(folder: Path) -> NoReturn:
    files: dict[Path, LogFile] = {}
    while True:
        for path in sorted(folder.glob("*.log")):
            if path not in files:
                files[path] = LogFile(path)
                files[path].skip_to_the_last(LINES_OF_BEFORE)
        for path, file in files.items():
            for line in file.new_lines():
                print(f"{path.stem:<8} | {line}", flush=True)
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
