"""A machine with database and broker vanishes without a word: all is back soon after the new one is there."""

import json
import os
import subprocess
import sys

import pytest

from tests.demo.local.launching import PROJECT
from tests.production.programs import missing, program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BACK_WITHIN_SECONDS = 15
# The broker carries hints: until a worker listens to it again, its sweep finds what is due.
LISTENING_WITHIN_SECONDS = 45


def test_deliveries_and_calls_are_back(folder):
    for name in ("ip", "nsenter", "postgres", "redis-server"):
        program(name)
    namespaces = [program("unshare"), "--net", "--mount"]
    if os.geteuid() != 0:
        namespaces += ["--user", "--map-current-user", "--keep-caps"]
    possible = subprocess.run([*namespaces, program("ip"), "link", "set", "lo", "up"], capture_output=True, text=True)
    if possible.returncode != 0:
        missing(f"the system permits no network namespace: {possible.stderr.strip()}")
    done = subprocess.run(
        [*namespaces, sys.executable, "-m", "tests.production.vanishing", str(folder)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    print(seen)
    assert seen["deliveries"] < BACK_WITHIN_SECONDS
    assert seen["calls"] < BACK_WITHIN_SECONDS
    assert seen["broker"] < LISTENING_WITHIN_SECONDS
    assert (seen["lost"], seen["alive"]) == (0, True)
