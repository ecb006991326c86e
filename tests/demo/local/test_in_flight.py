"""Ctrl-C in the middle of a delivery: it ends, is recorded, and is not sent again."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from config.environment import NAMES
from tests.demo.local.launching import PROJECT, Launcher
from tests.servers.receiver import Receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


class Script:
    """Calls a running copy with a key made by `manage.py create_api_key` beside it."""

    def __init__(self, launcher: Launcher) -> None:
        self._base = f"http://127.0.0.1:{launcher.port}/api/v1"
        made = subprocess.run(
            [sys.executable, "manage.py", "create_api_key", "Test", "--scope", "storefront", "--scope", "manage"],
            cwd=PROJECT,
            env={
                **{name: value for name, value in os.environ.items() if name not in NAMES},
                "DATA_DIR": str(launcher.data),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        self._key = made.stdout.splitlines()[-1]

    def __call__(self, method: str, path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            self._base + path,
            json.dumps(body).encode() if body else None,
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())


def test_a_delivery_in_flight_at_ctrl_c_ends_recorded(tmp_path: Path) -> None:
    go_on = threading.Event()
    with Receiver(answer=lambda request: 200 if go_on.wait(60) else 500) as receiver:
        launcher = Launcher(tmp_path / "data").up()
        try:
            script = Script(launcher)
            channel = script("POST", "/channels", name="Slow", kind="postback", url=receiver.url)["id"]
            script("PATCH", "/event-types/contact.created", enabled=True)
            script("POST", "/event-types/contact.created/channels", channel=channel)
            script("POST", "/contacts", source="shop", email="ada@example.org", first_name="Ada", last_name="B")
            wait_until(lambda: len(receiver.received) == 1)
            stopped: list[int] = []
            stopping = threading.Thread(target=lambda: stopped.append(launcher.ctrl_c()))
            stopping.start()
            wait_until(lambda: launcher.get("/healthz") == 0)  # web goes first
            go_on.set()
            stopping.join(60)
            assert stopped == [0]
        finally:
            go_on.set()
            launcher.end()
        again = Launcher(tmp_path / "data").up()
        try:
            (delivery,) = Script(again)("GET", f"/deliveries?channel={channel}")["results"]
        finally:
            again.end()
        assert delivery["status"] == "succeeded"
        assert [(a["number"], a["outcome"]) for a in delivery["attempts"]] == [(1, "succeeded")]
        assert len(receiver.received) == 1
