"""Plays over HTTP: the calls, with what every answer must look like, and the channels that listen."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

from tests.demo.play.expectation import Event, compare
from tests.demo.play.reading import EVENT_TYPES, read_postback
from tests.servers.receiver import Received, Receiver

_CALL_SECONDS = 60
_FIRST_REFUSED_IN = 25  # so many postbacks: one is answered 503 at first


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: dict[str, Any] | None = None
    idempotency_key: str | None = None

    def __str__(self) -> str:
        key = f" (Idempotency-Key {self.idempotency_key})" if self.idempotency_key else ""
        return f"{self.method} {self.path} {'' if self.body is None else json.dumps(self.body)}{key}"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: Any

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"


@dataclass(frozen=True)
class Api:
    """The API of a Tidings at `url`, with a key of both scopes. Safe to use from several threads."""

    url: str
    key: str

    def __call__(self, call: Call) -> Reply:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_CALL_SECONDS)
        headers = {"Authorization": f"Bearer {self.key}", "Connection": "close"}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        try:
            content = None if call.body is None else json.dumps(call.body).encode()
            connection.request(call.method, f"/api/v1{call.path}", content, headers)
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            raw = response.read()
            reply = Reply(response.status, answered, json.loads(raw) if raw else None)
        finally:
            connection.close()
        _check_form(call, reply)
        return reply

    def at_once(self, *calls: Call) -> list[Reply]:
        """The replies in the order of the calls."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(self, calls))

    def done(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The body of the answer to a call that has to succeed."""
        call = Call(method, path, body)
        reply = self(call)
        assert reply.status < 300, f"{call} -> {reply.status} {reply.body}"
        return reply.body

    def listed(self, path: str) -> list[dict[str, Any]]:
        """All results of a list, page after page."""
        results: list[dict[str, Any]] = []
        while path:
            page = self.done("GET", path)
            results += page["results"]
            following = urlsplit(page["next"] or "")
            path = f"{following.path.removeprefix('/api/v1')}?{following.query}" if page["next"] else ""
        return results


def _check_form(call: Call, reply: Reply) -> None:
    """What holds for every answer: refusals are problems of RFC 9457, all others JSON."""
    kind = reply.headers.get("content-type", "").partition(";")[0]
    if reply.status < 400:
        assert kind == "application/json" or reply.body is None, f"{call} -> {kind}"
        return
    assert kind == "application/problem+json", f"{call} -> {reply.status} {kind}"
    assert reply.body["status"] == reply.status < 500, f"{call} -> {reply.body}"
    assert reply.status != 422 or reply.body["errors"], f"{call} -> {reply.body}"


@dataclass
class Listener:
    """A postback channel, the receiver behind it, and its share of the events."""

    name: str
    event_types: Iterable[str]
    sources: tuple[str, ...]
    receiver: Receiver = field(default_factory=Receiver)
    channel_id: str = ""
    _secret: str = ""
    _refused: set[str] = field(default_factory=set)
    _forged: list[str] = field(default_factory=list)

    def attach(self, api: Api) -> None:
        """Makes the channel, attaches it, and has it refuse some postbacks at their first attempt."""
        self.receiver.answer = self._answer
        channel = api.done("POST", "/channels", {"name": self.name, "kind": "postback", "url": self.receiver.url})
        self.channel_id, self._secret = channel["id"], channel["secret"]
        for event_type in self.event_types:
            attachment = {"channel": self.channel_id, "sources": list(self.sources)}
            api.done("POST", f"/event-types/{event_type}/channels", attachment)

    def has_received_everything(self, api: Api) -> bool:
        """Nothing is on its way any more."""
        return not api.done("GET", f"/deliveries?channel={self.channel_id}&status=pending&limit=1")["results"]

    def differences(self, expected: Iterable[Event]) -> list[str]:
        """Compares what came with its share of what is expected; a retry must have repeated the same bytes."""
        share = [event for event in expected if event.type in self.event_types and event.source in self.sources]
        bodies: dict[str, bytes] = {}
        received, lines = [], [f"{event_id} is not signed as it should be" for event_id in self._forged]
        for request in self.receiver.received:
            if bodies.setdefault(request.id, request.body) != request.body:
                lines.append(f"{request.id} came with another body")
        for request in self._accepted():
            try:
                assert request.event["id"] == request.id, "webhook-id is not the event's id"
                received.append(read_postback(request.event))
            except AssertionError as error:
                lines.append(f"{request.id} ({request.event['type']}) has a wrong shape: {error}")
        return [f"{self.name}: {line}" for line in lines + compare(share, received)]

    def _accepted(self) -> list[Received]:
        refused = set(self._refused)
        accepted = []
        for request in self.receiver.received:
            if request.id in refused:
                refused.remove(request.id)
            else:
                accepted.append(request)
        return accepted

    def _answer(self, request: Received) -> int:
        try:
            Webhook(self._secret).verify(request.body, request.headers)  # refuses time stamps older than 5 minutes
        except WebhookVerificationError:
            self._forged.append(request.id)
        if sum(request.id.encode()) % _FIRST_REFUSED_IN == 0 and request.id not in self._refused:
            self._refused.add(request.id)
            return 503
        return 200


def enable_event_types(api: Api) -> Callable[[], None]:
    """Turns all event types on; what it returns turns off again those that were off."""
    off = [found["key"] for found in api.listed("/event-types") if not found["enabled"]]
    for key in off:
        api.done("PATCH", f"/event-types/{key}", {"enabled": True})

    def restore() -> None:
        for key in off:
            api.done("PATCH", f"/event-types/{key}", {"enabled": False})

    return restore


def listeners(run: str) -> list[Listener]:
    """One for everything, one for each kind of sender, one for two event types."""
    return [
        Listener(f"Play {run}: everything", EVENT_TYPES, ("admin", "shop", "funnel")),
        Listener(f"Play {run}: shop", EVENT_TYPES, ("shop",)),
        Listener(f"Play {run}: funnels", EVENT_TYPES, ("funnel",)),
        Listener(f"Play {run}: money", ("order.completed", "refund.applied"), ("shop", "funnel")),
    ]
