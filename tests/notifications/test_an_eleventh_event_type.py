"""A further event type is one block in one file, and its `send`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_one_block_makes_an_event_type():
    """In a process of its own: what reads the catalogue when it is imported is to find it there."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            "--ds=tests.notifications.eleventh.settings",
            "tests/notifications/eleventh/cases.py",
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^\d\d passed", ended.stdout, re.MULTILINE), ended.stdout
