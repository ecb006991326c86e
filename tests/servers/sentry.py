"""A Sentry on loopback: takes envelopes over real HTTP and keeps them as they came."""

import gzip
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass
class Sentry:
    """`hangs`: it reads what is sent and never answers."""

    hangs: bool = False
    envelopes: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        sentry = self
        self._ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                encoded = self.headers.get("Content-Encoding") == "gzip"
                head = f"{self.path}\n{self.headers}"
                sentry.envelopes.append(head + (gzip.decompress(body) if encoded else body).decode())
                if sentry.hangs:
                    sentry._ended.wait()
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def dsn(self) -> str:
        return f"http://key@127.0.0.1:{self._server.server_port}/1"

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was reported, in the order of arrival."""
        parsed = []
        for envelope in list(self.envelopes):
            header, payload = (json.loads(line) for line in envelope.splitlines()[-2:])
            assert header["type"] == "event", header
            parsed.append(payload)
        return parsed

    @property
    def told(self) -> str:
        """All that ever came."""
        return "\n".join(self.envelopes)
