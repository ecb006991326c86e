"""A connection of the web process: what has arrived of a request, and what is left to send of the answer to it."""

import socket
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Any

RECEIVED_AT_ONCE = 64 * 1024
SENT_AT_ONCE = 256 * 1024
# What a client has not taken yet of its answer is kept in memory up to this, then in a temporary file.
ANSWER_IN_MEMORY = 64 * 1024
LONGEST_ANSWER_KEPT = 1024 * 1024 * 1024
LONGEST_CHUNK_LINE = 8192
HEAD_ENDS = b"\r\n\r\n"


class BufferTooLarge(Exception):
    """A client takes nothing of an answer that goes on and on."""


class Source:
    """The stand-in for a socket that gunicorn's parser reads. It never waits: what is not there is the end."""

    def __init__(self) -> None:
        self._data = memoryview(b"")

    def feed(self, data: bytes) -> None:
        self._data = memoryview(self.take() + data)

    def recv(self, size: int) -> bytes:
        piece, self._data = bytes(self._data[:size]), self._data[size:]
        return piece

    def take(self) -> bytes:
        """All bytes received and not read yet."""
        return self.recv(len(self._data))


class Answer:
    """The stand-in for a socket that gunicorn writes to. It never waits: what the client does not take now is kept."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._kept: SpooledTemporaryFile[bytes] | None = None
        self._at = 0
        self._end = 0
        self.began = False  # whether anything was written for this request
        self.broken = False

    @property
    def left(self) -> int:
        """Bytes that are still to be sent."""
        return self._end - self._at

    def sendall(self, data: bytes) -> None:
        """Raises `ConnectionError` when the client is gone, and `BufferTooLarge`."""
        self.began = True
        self.flush()
        unsent = memoryview(data)
        while unsent and not self.left and not self.broken:
            sent = self._send(unsent)
            if sent is None:
                break
            unsent = unsent[sent:]
        if self.broken:
            raise ConnectionResetError("The client is gone.")
        if unsent:
            self._keep(unsent)

    send = sendall

    def flush(self) -> None:
        """Send what the client takes of what is kept."""
        while self.left and self._kept and not self.broken:
            self._kept.seek(self._at)
            sent = self._send(memoryview(self._kept.read(SENT_AT_ONCE)))
            if sent is None:
                return
            self._at += sent
        if self._kept and not self.left:
            self._kept.close()
            self._kept, self._at, self._end = None, 0, 0

    def close(self) -> None:
        if self._kept:
            self._kept.close()

    def shutdown(self, _how: int) -> None:
        """gunicorn ends an answer that broke off. The loop does that."""
        self.broken = True
        raise OSError("The loop ends connections.")

    def _send(self, data: memoryview) -> int | None:
        """How much the client took; None: nothing now."""
        try:
            return self._client.send(data)
        except BlockingIOError:
            return None
        except OSError:
            self.broken = True
            return None

    def _keep(self, data: memoryview) -> None:
        if self.left + len(data) > LONGEST_ANSWER_KEPT:
            raise BufferTooLarge
        if self._kept is None:
            self._kept = SpooledTemporaryFile(ANSWER_IN_MEMORY)  # noqa: SIM115 - it lives as long as the answer
        self._kept.seek(self._end)
        self._kept.write(data)
        self._end += len(data)


class Connection:
    """`request` is the one whose head has come, `length` that of its body, None where it comes in chunks."""

    def __init__(self, client: socket.socket, address: Any, server: Any) -> None:
        client.setblocking(False)
        self.socket = client
        self.client = address
        self.server = server
        self.source = Source()
        self.out = self.sock = Answer(client)
        self.parser: Any = None
        self.buffer = bytearray()
        self.deadline = 0.0
        self.keep = False
        self.discarded = 0
        self._counted = 0
        self.next_request()

    def next_request(self) -> None:
        self.request: Any = None
        self.length: int | None = 0
        self.began = False  # whether anything of the request has come
        self.too_long = False
        self._searched = 0
        self._chunk_at = 0

    def expects(self, request: Any, length: int | None) -> None:
        self.request, self.length = request, length

    @property
    def all_read(self) -> bool:
        """Whether parser and application have read exactly what belongs to this request."""
        return not self.source.take() and not self.parser.unreader.take_buffered()

    def grown(self) -> int:
        """The change in bytes held in memory since the last call."""
        before, self._counted = self._counted, len(self.buffer)
        return self._counted - before

    def receive(self) -> bytes | None:
        """The next bytes; None: nothing now, b"": the client has ended."""
        try:
            return self.socket.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def take_head(self, longest: int) -> bytes | None:
        """The head, once it is complete or longer than it may be; None before."""
        while self.buffer.startswith(b"\r\n"):  # RFC 9112 section 2.2: some clients send one after a body
            del self.buffer[:2]
        end = self.buffer.find(HEAD_ENDS, max(0, self._searched - len(HEAD_ENDS)))
        self._searched = len(self.buffer)
        if end < 0 and len(self.buffer) <= longest:
            return None
        return self._take(end + len(HEAD_ENDS) if end >= 0 else len(self.buffer))

    def take_body(self, longest: int) -> bytes | None:
        """The body, in its chunks where it has some, once it is complete; None before, b"" where it is too long."""
        end = self._end_of_chunks() if self.length is None else self.length
        if max(end or 0, len(self.buffer) if end is None else 0) > longest:
            self.too_long = True
            self._announce_too_long()
            return b""
        if end is None or len(self.buffer) < end:
            return None
        return self._take(end)

    def end_sending(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.buffer.clear()
        self.out.close()
        with suppress(OSError):
            self.socket.close()

    def _take(self, size: int) -> bytes:
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def _announce_too_long(self) -> None:
        """The application refuses a body by its length, which is not announced for chunks."""
        if self.length is None:
            headers = [(name, value) for name, value in self.request.headers if name != "TRANSFER-ENCODING"]
            self.request.headers = [*headers, ("CONTENT-LENGTH", str(len(self.buffer)))]

    def _end_of_chunks(self) -> int | None:
        """Where the body ends, None: not yet. What is no chunk ends it as well: the parser says what is wrong."""
        while True:
            line_ends = self.buffer.find(b"\r\n", self._chunk_at)
            if line_ends < 0:
                return len(self.buffer) if len(self.buffer) - self._chunk_at > LONGEST_CHUNK_LINE else None
            digits = bytes(self.buffer[self._chunk_at : line_ends]).partition(b";")[0].strip()
            try:
                size = int(digits, 16) if digits.isalnum() else -1
            except ValueError:
                size = -1
            if size < 0 or len(digits) > 16:
                return len(self.buffer)
            if size == 0:
                return self._end_of_trailers(line_ends)
            chunk_ends = line_ends + 2 + size + 2
            if chunk_ends > len(self.buffer):
                # Its size alone shows that the whole becomes too long.
                return None
            self._chunk_at = chunk_ends

    def _end_of_trailers(self, line_ends: int) -> int | None:
        if self.buffer[line_ends + 2 : line_ends + 4] == b"\r\n":
            return line_ends + 4
        end = self.buffer.find(HEAD_ENDS, line_ends)
        return end + len(HEAD_ENDS) if end >= 0 else None
