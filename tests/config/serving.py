"""The web process as the README starts it, and clients that behave badly."""

import http.client
import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.demo.local.launching import PROJECT, free_port
from tests.waiting import wait_until


def command(port: int) -> list[str]:
    """What the README says for production, at another port."""
    (line,) = re.findall(r"^\.venv/bin/gunicorn (.+)$", (PROJECT / "README.md").read_text(), re.MULTILINE)
    arguments = shlex.split(line, comments=True)
    arguments[arguments.index("--bind") + 1] = f"127.0.0.1:{port}"
    return [sys.executable, "-m", "gunicorn", *arguments]


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> tuple[int, Mapping[str, str], bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            client.request(method, path, body, dict(headers or {}))
            answer = client.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            client.close()

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.port))
        return client

    def says(self, sent: bytes) -> bytes:
        """All that comes back for these bytes until the server closes."""
        with self.connect() as client:
            client.sendall(sent)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    received = bytearray()
    while piece := client.recv(65536):
        received += piece
    return bytes(received)


def collect_static_files(environment: Mapping[str, str]) -> None:
    """As `make run` does it: pages of a web process name the collected ones."""
    collect = "import django; django.setup(); from demo.local.prepare import collect_static_files as c; c()"
    subprocess.run([sys.executable, "-c", collect], cwd=PROJECT, env={**os.environ, **environment}, check=True)


@contextmanager
def serving(environment: Mapping[str, str], *arguments: str, log: Path | None = None) -> Iterator[Server]:
    port = free_port()
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else None
        process = subprocess.Popen(
            [*command(port), *arguments], cwd=PROJECT, env={**os.environ, **environment}, stderr=output
        )
        try:
            wait_until(lambda: process.poll() is None and _answers(port), timeout=60)
            yield Server(process, port)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(port: int) -> bool:
    try:
        Server(None, port).request("GET", "/healthz", timeout=5)  # type: ignore[arg-type]
    except (OSError, http.client.HTTPException):
        return False
    return True


def allow_files(number: int) -> bool:
    """Whether this process may hold so many sockets open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    return max(soft, hard) >= number
