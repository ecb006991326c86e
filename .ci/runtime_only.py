"""Installs what `make run` installs, and nothing else, and sees web, worker and beat come up with it.

The tools of the tests bring libraries along that would hide one missing from requirements.txt.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 120


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"],
            cwd=PROJECT,
            check=True,
        )
        port = free_port()
        environment = {**os.environ, "PORT": str(port), "DATA_DIR": str(folder / "data")}
        launcher = subprocess.Popen([python, "-m", "demo.local"], cwd=PROJECT, env=environment)
        try:
            wait_until_ready(port, launcher)
        finally:
            launcher.send_signal(signal.SIGINT)
            ended = launcher.wait(PATIENCE_SECONDS)
        if ended != 0:
            sys.exit(f"The launcher ended with {ended}.")


def wait_until_ready(port: int, launcher: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and launcher.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/deliveries", timeout=5):
                return
        except OSError:
            time.sleep(1)
    sys.exit("Tidings did not come up with what requirements.txt installs.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
