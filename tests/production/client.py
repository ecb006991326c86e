"""Calls to a running web process, from wherever it was started."""

import json
import urllib.error
import urllib.request
from typing import Any


class Client:
    """Knows the port of a web process on loopback, and a key of its API."""

    port: int
    key: str

    def call(self, method: str, path: str, body: object = None, timeout: float = 30) -> Any:
        """Call the API; `path` begins after `/api/v1`. Raises HTTPError for a refusal."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def web_answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def attach(self, url: str, *event_types: str) -> str:
        """A postback channel for these event types. Returns its signing secret."""
        channel = self.call("POST", "/channels", {"name": "Warehouse", "kind": "postback", "url": url})
        for event_type in event_types:
            self.call("PATCH", f"/event-types/{event_type}", {"enabled": True})
            attached = {"channel": channel["id"], "sources": ["admin", "shop", "funnel"]}
            self.call("POST", f"/event-types/{event_type}/channels", attached)
        secret: str = channel["secret"]
        return secret

    def contact(self, number: int, timeout: float = 30) -> None:
        """One event, `contact.created`."""
        self.call("POST", "/contacts", {"source": "shop", **person(f"ada{number}")}, timeout)


def person(name: str) -> dict[str, str]:
    return {"email": f"{name}@example.com", "first_name": name.title(), "last_name": "Byron"}
