"""A receiver of postbacks in a process of its own, quick enough not to be what is measured.

`/CHANNEL/...` answers 200 at once and remembers when which event arrived there. `POST /control/hang/A,B` lets requests
to these channels wait from now on, until the next such call answers them; `POST /control/drip/A,B` does the same, and
sends a byte of the answer now and then meanwhile. `GET /control/arrivals` gives and forgets what arrived.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

DRIP_SECONDS = 0.5
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


@dataclass(frozen=True)
class Arrival:
    """`at` is on the monotonic clock, which all processes of a machine share, in seconds."""

    channel: str
    event_id: str
    at: float


class Receiver:
    """Starts the process and talks to it. Use as a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def url(self, channel: int | str) -> str:
        return f"http://127.0.0.1:{self.port}/{channel}/hook"

    def hang(self, *channels: int | str, drip: bool = False) -> None:
        """From now on these channels, and no others, do not answer; what hung until now is answered.

        With `drip`, an answer begins and never ends.
        """
        self._call("POST", f"{'drip' if drip else 'hang'}/{','.join(map(str, channels))}")

    def arrivals(self) -> list[Arrival]:
        """What has arrived since the last call, in the order of arrival."""
        return [Arrival(*each) for each in json.loads(self._call("GET", "arrivals"))]

    def _call(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/control/{path}", method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            body: bytes = answer.read()
        return body


class _Exchange(asyncio.Protocol):
    """One connection: as many requests as its client sends over it."""

    arrived: list[tuple[str, str, float]] = []
    hanging: set[str] = set()
    waiting: list["_Exchange"] = []
    dripping = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            lowered = head.lower()
            size = int(_header(lowered, b"content-length") or 0)
            if len(self._buffer) < end + 4 + size:
                return
            self._buffer = self._buffer[end + 4 + size :]
            self._answer(head, lowered)

    def _answer(self, head: bytes, lowered: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        channel = path.split("/", 2)[1]
        if channel == "control":
            self._transport.write(_control(path))
        else:
            self.arrived.append((channel, _header(lowered, b"webhook-id").decode(), time.monotonic()))
            if channel in self.hanging:
                self.waiting.append(self)
                if self.dripping:
                    self._transport.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                    self._drip()
                return
            self.answer()
        if _header(lowered, b"connection") == b"close":
            self._transport.close()

    def answer(self) -> None:
        self._transport.write(OK)

    def _drip(self) -> None:
        if self in self.waiting and not self._transport.is_closing():
            self._transport.write(b"x")
            asyncio.get_running_loop().call_later(DRIP_SECONDS, self._drip)


def _header(head: bytes, name: bytes) -> bytes:
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    at += len(name) + 3
    end = head.find(b"\r\n", at)
    return head[at : end if end >= 0 else None].strip()


def _control(path: str) -> bytes:
    command, _, argument = path.removeprefix("/control/").partition("/")
    body = b""
    if command in {"hang", "drip"}:
        _Exchange.dripping = command == "drip"
        _Exchange.hanging = set(filter(None, argument.split(",")))
        for each in _Exchange.waiting:
            each.answer()
        _Exchange.waiting.clear()
    elif command == "arrivals":
        body = json.dumps(_Exchange.arrived).encode()
        _Exchange.arrived.clear()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Exchange, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
