"""Tidings as `make run` starts it, with the demo's data, for the tests that look at it through a browser."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.demo.local.launching import PROJECT, Launcher
from tests.waiting import wait_until

# Short delays: a delivery that fails for good does so within a second.
SETTINGS = {"POSTBACK_RETRY_DELAYS_SECONDS": "0.2,0.2,0.2", "SWEEP_INTERVAL_SECONDS": "0.2"}
ALL_SOURCES = ("admin", "shop", "funnel")


@dataclass(frozen=True)
class System:
    """Where it runs, and a key of its API with both scopes."""

    url: str
    key: str

    def call(self, method: str, path: str, **body: object) -> Any:
        """Call the API; `path` begins after `/api/v1`. Returns the parsed answer, None when it has no body.

        Raises urllib.error.HTTPError for a refusal.
        """
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            data=json.dumps(body).encode() if body else None,
            method=method,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def channel(self, name: str, url: str, *event_types: str) -> str:
        """Make a postback channel and attach it to these event types for all sources. Returns its id."""
        channel: str = self.call("POST", "/channels", name=name, kind="postback", url=url)["id"]
        for key in event_types:
            self.call("POST", f"/event-types/{key}/channels", channel=channel, sources=ALL_SOURCES)
        return channel

    def leave_alone(self, key: str, *, enabled: bool) -> None:
        """Turn an event type on or off, and detach every channel from it."""
        self.call("PATCH", f"/event-types/{key}", enabled=enabled)
        for attached in self.call("GET", f"/event-types/{key}/channels")["results"]:
            self.call("DELETE", f"/event-types/{key}/channels/{attached['channel']}")

    def order(self, email: str) -> dict[str, Any]:
        """An open order of the shop, by somebody with this address: one mug for 14.50."""
        order: dict[str, Any] = self.call(
            "POST",
            "/orders",
            source="shop",
            contact={"email": email, "first_name": "Ada", "last_name": "Byron"},
            items=[{"sku": "MUG-02", "quantity": 1}],
        )
        return order

    def purchase(self, number: str, reference: str, **members: object) -> dict[str, Any]:
        """What the gateway reports of an order: an approved purchase, if `members` do not say otherwise."""
        values = {"status": "approved", "amount": "14.50", "gateway": "card", "reference": reference, **members}
        transaction: dict[str, Any] = self.call("POST", f"/orders/{number}/transactions", **values)
        return transaction

    def settled(self, count: int, **filters: str) -> list[dict[str, Any]]:
        """This many deliveries, newest first, once none of them goes on by itself."""

        def all_settled() -> list[dict[str, Any]]:
            found = self.deliveries(**filters)
            return found if len(found) == count and all(each["status"] != "pending" for each in found) else []

        return wait_until(all_settled)

    def deliveries(self, **filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        found: list[dict[str, Any]] = self.call("GET", f"/deliveries?{query}")["results"]
        return found


def start(data: Path) -> tuple[Launcher, System]:
    """Start it in this folder, and add the people and a key. The caller ends the launcher."""
    launcher = Launcher(data, settings=SETTINGS)
    try:
        launcher.up()
        printed = subprocess.run(
            [sys.executable, "-m", "tests.browser.people"],
            cwd=PROJECT,
            env=launcher.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    except BaseException:
        launcher.end()
        raise
    return launcher, System(f"http://127.0.0.1:{launcher.port}", printed.split()[-1])
