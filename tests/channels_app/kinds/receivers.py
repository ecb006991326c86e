"""A well-behaved receiver of each kind of channel, on loopback: keeps what arrives, answers what it is told to.

A further kind has an entry in `RECEIVERS`; then every test of this folder, and those of faults, run for it as well.
"""

import asyncio
import email
import email.policy
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers.hostile import refusing_port

EVENT_ID = re.compile(r"evt_\w+")
# What an answer may be: taken, not now, never; or the connection is closed without one. It may also block.
TAKEN, BUSY, NEVER, HANGS_UP = 200, 503, 404, 0


@dataclass(frozen=True)
class Arrived:
    """One message that has arrived. `event` is the id of the event that it tells of, `name` what names the message, the
    same on every attempt.
    """

    kind: str
    path: str
    event: str
    name: str
    body: str


Answer = Callable[[Arrived], int]


class HttpReceiver:
    """For kinds that POST. `path` tells its channels apart."""

    kind: ClassVar[str] = "postback"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.received: list[Arrived] = []
        self.settings: dict[str, str] = {}
        self._open = ExitStack()

    def channel(self, path: str) -> dict[str, Any]:
        """What a channel that leads here is created with."""
        return {"kind": self.kind, "url": f"http://127.0.0.1:{self._server.server_address[1]}{path}"}

    def nowhere(self) -> dict[str, Any]:
        """The same of one that leads to where nobody listens."""
        return {"kind": self.kind, "url": f"http://127.0.0.1:{self._open.enter_context(refusing_port())}/hook"}

    def arrived(self, path: str, headers: dict[str, str], body: str) -> Arrived:
        return Arrived(self.kind, path, headers["webhook-id"], headers["webhook-id"], body)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                arrived = receiver.arrived(self.path, headers, body)
                receiver.received.append(arrived)
                status = receiver.answer(arrived)
                if status == HANGS_UP:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *args: Any) -> None:
                """Who is killed hangs up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._open.close()


class SlackReceiver(HttpReceiver):
    kind: ClassVar[str] = "slack"

    def arrived(self, path: str, headers: dict[str, str], body: str) -> Arrived:
        (event,) = set(EVENT_ID.findall(body))
        return Arrived(self.kind, path, event, event, body)


class MailReceiver:
    """A mail server. Its channels are told apart by their recipient: `/slow/1` is `slow-1@example.com`."""

    kind: ClassVar[str] = "email"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.received: list[Arrived] = []
        self._open = ExitStack()
        self._answering = ThreadPoolExecutor(256, thread_name_prefix="mail-answers")

    @property
    def settings(self) -> dict[str, str]:
        return {"EMAIL_URL": f"smtp://127.0.0.1:{self._port}"}

    def channel(self, path: str) -> dict[str, Any]:
        return {"kind": self.kind, "recipients": [f"{path.strip('/').replace('/', '-')}@example.com"]}

    def nowhere(self) -> dict[str, Any]:
        """One mail server serves all channels: from now on `settings` lead to where nobody listens."""
        self._port = self._open.enter_context(refusing_port())
        return self.channel("/hook")

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def start() -> None:
            self._server = await self._loop.create_server(self._session, "127.0.0.1", 0, backlog=128)
            self._port = self._server.sockets[0].getsockname()[1]
            started.set()

        def run() -> None:
            self._loop.create_task(start())
            self._loop.run_forever()
            self._loop.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert started.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async def stop() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(stop(), self._loop)
        self._thread.join(20)
        self._answering.shutdown(wait=False, cancel_futures=True)
        self._open.close()

    def _session(self) -> SMTP:
        return SMTP(self, hostname="mail.example.com", loop=self._loop)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        text = message.get_body(("plain",))
        assert text is not None
        body = text.get_content()
        (event,) = set(EVENT_ID.findall(body))
        path = "/" + envelope.rcpt_tos[0].partition("@")[0].replace("-", "/")
        arrived = Arrived(self.kind, path, event, str(message["Message-ID"]), body)
        self.received.append(arrived)
        status = await self._loop.run_in_executor(self._answering, self.answer, arrived)
        if status == HANGS_UP:
            assert server.transport is not None
            server.transport.close()
        return {TAKEN: "250 2.0.0 Taken.", BUSY: "451 4.3.2 Not now.", NEVER: "554 5.7.1 Never."}.get(status, "")


RECEIVERS: dict[str, type[HttpReceiver] | type[MailReceiver]] = {
    receiver.kind: receiver for receiver in (HttpReceiver, MailReceiver, SlackReceiver)
}


class Receivers:
    """One receiver of each kind, all with the same `answer`."""

    def __init__(self, answer: Answer = lambda _: TAKEN) -> None:
        self.answer = answer
        self.by_kind = {kind: receiver(self._answer) for kind, receiver in RECEIVERS.items()}
        self._open = ExitStack()

    def _answer(self, arrived: Arrived) -> int:
        return self.answer(arrived)

    @property
    def received(self) -> list[Arrived]:
        return [arrived for receiver in self.by_kind.values() for arrived in list(receiver.received)]

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables by which Tidings finds them."""
        return {name: value for receiver in self.by_kind.values() for name, value in receiver.settings.items()}

    def __enter__(self) -> Self:
        for receiver in self.by_kind.values():
            self._open.enter_context(receiver)
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()
