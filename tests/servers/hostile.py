"""Receivers that do everything wrong, over TCP and TLS, for tests of whatever calls them.

    with HostileServer(drip_body()) as server:
        ...  # call server.url; look at server.requests, server.connections, server.sent

A behaviour is a function that is given each connection as a `Peer`, in a thread of its own. What it raises because
the caller hung up is expected and ignored. With `tls` (from `server_context`) the handshake comes first, unless the
behaviour is marked `@before_tls`.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Self

import trustme

PAUSE = 0.02


class Peer:
    """One accepted connection."""

    def __init__(self, server: "HostileServer", sock: socket.socket) -> None:
        self.server = server
        self.sock = sock

    def read_request(self) -> bytes:
        """Head and body of one request, also kept in `server.requests`."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65536)
            if not piece:
                raise ConnectionError("closed within the request")
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += self.sock.recv(65536)
        self.server.requests.append((head, body))
        return head + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.server.sent += len(data)

    def drip(self, pieces: Iterable[bytes]) -> None:
        """Send one piece after the other, slowly, until they end, the caller hangs up or the server stops."""
        for piece in pieces:
            self.send(piece)
            if self.server.stopped.wait(PAUSE):
                return

    def hang(self) -> None:
        self.server.stopped.wait()

    def reset(self) -> None:
        """Close with an RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket.close(self.sock)


Behaviour = Callable[[Peer], None]


class HostileServer:
    """A server on a port of its own; `requests` are (head, body), `sent` counts bytes handed to the kernel."""

    def __init__(
        self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.stopped = threading.Event()
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self.sent = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self.host, self.port = host, self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return self.url_for(f"[{self.host}]" if ":" in self.host else self.host)

    def url_for(self, host: str) -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/hook"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for sock in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a behaviour does not end"
        for sock in [self._listener, *self._open]:
            socket.socket.close(sock)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            # Else a small answer may wait for an acknowledgement, and a reset throws it away.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls and not getattr(self._behaviour, "before_tls", False):
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._behaviour(Peer(self, sock))
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_WR)
        socket.socket.close(sock)


def server_context(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    """TLS for a server whose certificate, signed by `ca`, is valid for `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


def before_tls(behaviour: Behaviour) -> Behaviour:
    behaviour.before_tls = True  # type: ignore[attr-defined]
    return behaviour


def head(status: int | str = 200, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers, "", ""]).encode("latin-1")


def sends(*pieces: bytes) -> Behaviour:
    """Reads the request, sends these pieces, closes."""

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        for piece in pieces:
            peer.send(piece)

    return behaviour


def answers(status: int = 200, body: bytes = b"ok", *headers: str) -> Behaviour:
    """A proper answer."""
    return sends(head(status, f"Content-Length: {len(body)}", *headers) + body)


def sends_then_hangs(data: bytes) -> Behaviour:
    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)
        peer.hang()

    return behaviour


def sends_then_resets(data: bytes) -> Behaviour:
    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)
        peer.reset()

    return behaviour


def drips(first: bytes, pieces: Iterable[bytes] = ()) -> Behaviour:
    """Reads the request, then sends `first` a byte at a time and `pieces` (for ever a letter) after it."""

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.drip(chain((first[i : i + 1] for i in range(len(first))), pieces or repeat(b"a")))

    return behaviour


def drip_body(status: int = 200, *headers: str) -> Behaviour:
    """A whole head at once, then the body a byte at a time, for ever."""

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(head(status, *headers))
        peer.drip(repeat(b"5\r\nhello\r\n") if "Transfer-Encoding: chunked" in headers else repeat(b"a"))

    return behaviour


def floods(first: bytes, piece: bytes) -> Behaviour:
    """Reads the request, sends `first`, then `piece` again and again, as fast as it is taken."""

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(first)
        while not peer.server.stopped.is_set():
            peer.send(piece)

    return behaviour


@before_tls
def hangs_after_accept(peer: Peer) -> None:
    """Not a byte is read or sent."""
    peer.hang()


def hangs_after_request(peer: Peer) -> None:
    peer.read_request()
    peer.hang()


@before_tls
def drips_handshake(peer: Peer) -> None:
    """A TLS handshake record of 16 KiB, a byte at a time."""
    peer.drip(chain([b"\x16\x03\x03\x40\x00\x02"], repeat(b"\x00")))


@before_tls
def closes_at_once(peer: Peer) -> None:
    """A FIN before the request is read."""


@before_tls
def resets_at_once(peer: Peer) -> None:
    peer.reset()


@contextlib.contextmanager
def unaccepting_port(*hosts: str) -> Iterator[int]:
    """A port of 127.0.0.1 (or of `hosts`) that answers no SYN: its queue of connections is full and nobody accepts."""
    with contextlib.ExitStack() as stack:
        port = 0
        for host in hosts or ("127.0.0.1",):
            listener = stack.enter_context(socket.socket())
            listener.bind((host, port))
            listener.listen(0)
            port = listener.getsockname()[1]
            for _ in range(4):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
        yield port


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections: it is taken, so nobody else comes to listen on it meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def sends_then_drips(data: bytes, pieces: Iterable[bytes]) -> Behaviour:
    """Reads the request, sends `data` at once and `pieces` after it, slowly."""

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)
        peer.drip(pieces)

    return behaviour


def redirects_to_itself(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(307, f"Location: {peer.server.url}", "Content-Length: 0"))


def hangs_unread(peer: Peer) -> None:
    """After the TLS handshake, where there is one: the request is never read."""
    peer.hang()
