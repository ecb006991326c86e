"""Where a run keeps its data and its log. Needs nothing that has to be installed: `make logs` works without it."""

import os
from pathlib import Path


def data_folder(project: Path) -> Path:
    """`DATA_DIR`, `.data` in the project by default; absolute."""
    return Path(os.environ.get("DATA_DIR", "").strip() or project / ".data").expanduser().resolve()


def log_folder(data: Path) -> Path:
    """The folder of a run's logs, one file a program."""
    return data / "log"
