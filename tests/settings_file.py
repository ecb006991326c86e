"""The settings read anew, beside those of the tests."""

import runpy
from pathlib import Path
from typing import Any

import structlog

SETTINGS = Path(__file__).resolve().parents[1] / "config" / "settings.py"


def read_settings() -> dict[str, Any]:
    """What they come to in the present environment. What they set for the log of this process is undone."""
    log = structlog.get_config()
    try:
        return runpy.run_path(str(SETTINGS))
    finally:
        structlog.configure(**log)
