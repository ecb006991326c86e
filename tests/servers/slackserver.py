"""Receivers in the shape of Slack's and of Mattermost's incoming webhooks, on loopback, for tests.

They know one URL each, take only what the real ones take as far as that is documented, and refuse in their words:

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/block-kit/blocks
https://developers.mattermost.com/integrate/webhooks/incoming
"""

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

SECRET = "recognisable0Secret1Token"


@dataclass(frozen=True)
class Says:
    """An answer."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


OK = Says(200, "ok")


class SlackServer:
    """`taken` are the messages that were taken, in order, `requests` all that came as (path, headers, body).

    What is given to `will_say` is said in turn, before anything is looked at.
    """

    path: ClassVar[str] = f"/services/T00000001/B00000001/{SECRET}"

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._script: deque[Says] = deque()

    def will_say(self, *answers: Says) -> None:
        self._script.extend(answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.path}"

    def __enter__(self) -> Self:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said = answer(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.body.encode())))
                self.end_headers()
                self.wfile.write(said.body.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> Says:
        self.requests.append((path, headers, body))
        if self._script:
            return self._script.popleft()
        if wrong := self.wrong_path(path):
            return wrong
        message: Any
        try:
            message = json.loads(body) if headers["content-type"].startswith("application/json") else None
        except ValueError:
            message = None
        if wrong := self.refusal(message):
            return wrong
        self.taken.append(message)
        return OK

    def wrong_path(self, path: str) -> Says | None:
        if path == self.path:
            return None
        _, services, team, service, *_ = [*path.split("/"), "", "", ""]
        if services != "services" or team != "T00000001":
            return Says(404, "no_team")
        return Says(403, "invalid_token") if service == "B00000001" else Says(404, "no_service")

    @staticmethod
    def refusal(message: Any) -> Says | None:
        """Why this is no message, as Slack says it."""
        if not isinstance(message, dict) or not isinstance(message.get("text", ""), str):
            return Says(400, "invalid_payload")
        if not message.get("text") and not message.get("blocks"):
            return Says(400, "no_text")
        try:
            check_blocks(message.get("blocks", []))
        except InvalidBlocks:
            return Says(400, "invalid_blocks")
        return None if size(message.get("text", "")) <= 40_000 else Says(400, "msg_too_long")


class MattermostServer(SlackServer):
    """Looks at `text` and `attachments` only."""

    path: ClassVar[str] = f"/hooks/{SECRET.lower()}"

    def wrong_path(self, path: str) -> Says | None:
        if path == self.path:
            return None
        if path.startswith("/hooks/"):
            return mattermost_error(400, "web.incoming_webhook.invalid.app_error", "Invalid webhook.")
        return mattermost_error(404, "api.context.404.app_error", "Sorry, we could not find the page.")

    @staticmethod
    def refusal(message: Any) -> Says | None:
        if not isinstance(message, dict) or not isinstance(message.get("text", ""), str):
            return mattermost_error(400, "web.incoming_webhook.decode.app_error", "Unable to decode the payload.")
        if not message.get("text") and message.get("attachments") is None:
            return mattermost_error(400, "web.incoming_webhook.text.app_error", "No text specified.")
        return None


def mattermost_error(status: int, name: str, message: str) -> Says:
    body = {"id": name, "message": message, "detailed_error": "", "request_id": "r1", "status_code": status}
    return Says(status, json.dumps(body), {"Content-Type": "application/json"})


class InvalidBlocks(ValueError):
    pass


def check_blocks(blocks: Any) -> None:
    """Raises `InvalidBlocks` for what Slack does not take, of the kinds of block that Tidings sends, and header."""
    _need(isinstance(blocks, list) and len(blocks) <= 50)
    for block in blocks:
        _need(isinstance(block, dict) and set(block) <= KEYS.get(block.get("type"), set()) | {"type", "block_id"})
        match block["type"]:
            case "header":
                _check_text(block.get("text"), 150, {"plain_text"})
            case "section":
                _need("text" in block or "fields" in block)
                if "text" in block:
                    _check_text(block["text"], 3000)
                if "fields" in block:
                    _check_texts(block["fields"], 2000)
            case "context":
                _check_texts(block.get("elements"), 2000)
            case "divider":
                pass
            case _:
                raise InvalidBlocks(block["type"])
    # Documented nowhere; https://github.com/slackapi/bolt-js/issues/2867 has measured it.
    _need(sum(size(text) for text in texts(blocks)) <= 11_000)


KEYS: dict[Any, set[str]] = {
    "header": {"text"},
    "section": {"text", "fields"},
    "context": {"elements"},
    "divider": set(),
}


def texts(blocks: list[dict[str, Any]]) -> list[str]:
    """The texts of all blocks, in order."""
    given = [[block.get("text"), *block.get("fields", []), *block.get("elements", [])] for block in blocks]
    return [each["text"] for objects in given for each in objects if each]


def plain(written: str) -> str:
    """What people read where this was written: without entities, with look-alikes for what they look like."""
    read = written.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return read.translate(str.maketrans("\u2217\u223c\u02cb\u02cd\uff04", "*~`_$", "\u200b"))


def size(text: str) -> int:
    """In units of UTF-16, as JavaScript counts."""
    return len(text.encode("utf-16-le")) // 2


def _check_texts(objects: Any, longest: int) -> None:
    _need(isinstance(objects, list) and 1 <= len(objects) <= 10)
    for each in objects:
        _check_text(each, longest)


def _check_text(given: Any, longest: int, types: set[str] | None = None) -> None:
    _need(isinstance(given, dict) and given.get("type") in (types or {"plain_text", "mrkdwn"}))
    extra = "emoji" if given["type"] == "plain_text" else "verbatim"
    _need(set(given) <= {"type", "text", extra} and isinstance(given.get(extra, True), bool))
    _need(isinstance(given.get("text"), str) and 1 <= size(given["text"]) <= longest and bool(given["text"].strip()))


def _need(holds: bool) -> None:
    if not holds:
        raise InvalidBlocks
