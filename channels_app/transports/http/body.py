"""Where the body of an answer ends (RFC 9112, section 6.3), and what of the bytes that come is the body."""

import re
from typing import Protocol

from channels_app.transports.http.errors import BodyCutOffError, NotHTTPError
from channels_app.transports.http.head import Head
from channels_app.transports.net.deadline import MAX_HEAD_BYTES

_CHUNK_SIZE = re.compile(rb"[ \t]*(?=[0-9A-Fa-f])0*+([0-9A-Fa-f]{0,16})[ \t]*(?:;.*)?", re.DOTALL)
_RESET_CONTENT = 205


class Body(Protocol):
    """A body that is being received. `rest` are bytes beyond its end, once it is `complete`."""

    complete: bool
    rest: int

    def feed(self, data: bytes, content: bytearray) -> None:
        """Take what has come, and add to `content` what of it is content. Raises `NotHTTPError`."""
        ...

    def end(self) -> None:
        """The receiver has closed the connection. Raises `BodyCutOffError` where more was to come."""
        ...


class OfLength:
    """A body of a `Content-Length`, in bytes."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.complete = length == 0
        self.rest = 0

    def feed(self, data: bytes, content: bytearray) -> None:
        if len(data) > self._left:
            self.rest += len(data) - self._left
            data = data[: self._left]
        content += data
        self._left -= len(data)
        self.complete = self._left == 0

    def end(self) -> None:
        if not self.complete:
            raise BodyCutOffError(f"{self._left} bytes are missing.")


class UntilClosed:
    """A body that ends where the receiver closes the connection."""

    def __init__(self) -> None:
        self.complete = False
        self.rest = 0

    def feed(self, data: bytes, content: bytearray) -> None:
        content += data

    def end(self) -> None:
        self.complete = True


class Chunked:
    """Chunks with extensions, and trailers, both passed over (RFC 9112, section 7.1). Lines may end in LF alone.

    A line is at most `MAX_HEAD_BYTES` long. A connection that is closed after the last chunk has brought all of it.
    """

    def __init__(self) -> None:
        self.complete = False
        self.rest = 0
        self._left = 0  # bytes of the chunk
        self._is_after_chunk = False
        self._is_after_last = False
        self._line = bytearray()

    def feed(self, data: bytes, content: bytearray) -> None:
        begin = 0
        while begin < len(data) and not self.complete:
            if self._left:
                piece = data[begin : begin + self._left]
                content += piece
                begin += len(piece)
                self._left -= len(piece)
                self._is_after_chunk = not self._left
                continue
            end = data.find(b"\n", begin)
            self._line += data[begin : end if end >= 0 else len(data)]
            if len(self._line) > MAX_HEAD_BYTES:
                raise NotHTTPError("A line between chunks is too long.")
            if self._is_after_chunk and bytes(self._line) not in {b"", b"\r"}:
                raise NotHTTPError("A chunk is longer than it says.")
            if end < 0:
                begin = len(data)
                break
            begin = end + 1
            line = bytes(self._line).rstrip(b"\r")
            self._line.clear()
            self._take(line)
        self.rest += len(data) - begin

    def _take(self, line: bytes) -> None:
        if self._is_after_chunk:
            self._is_after_chunk = False
        elif self._is_after_last:
            self.complete = not line
        else:
            found = _CHUNK_SIZE.fullmatch(line)
            if not found:
                raise NotHTTPError("The size of a chunk is no number.")
            self._left = int(found[1] or b"0", 16)
            self._is_after_last = not self._left

    def end(self) -> None:
        if not self.complete and not self._is_after_last:
            raise BodyCutOffError("Chunks are missing.")
        self.complete = True


def body_of(head: Head) -> Body:
    """The body that follows `head`. Sets `head.is_odd` where that is doubtful, so that nothing may follow.

    Chunks count before a length. Lengths that are no number are passed over, equal ones are one. Raises `NotHTTPError`
    for two that differ.
    """
    if head.has_no_body:
        return OfLength(0)
    codings = _said(head, "transfer-encoding")
    lengths = _said(head, "content-length")
    if codings and codings[-1].lower() == "chunked":
        head.is_odd |= bool(lengths)
        return Chunked()
    head.is_odd |= bool(codings)
    readable = [length for length in lengths if length.isascii() and length.isdigit()]
    head.is_odd |= len(readable) < len(lengths)
    numbers = {length.lstrip("0") or "0" for length in readable}
    if len(numbers) > 1:
        raise NotHTTPError("The answer has two lengths.")
    if numbers:
        # Python reads no number of thousands of digits; and so many bytes never come.
        number = numbers.pop()
        return OfLength(int(number) if len(number) <= 18 else 10**18)
    return OfLength(0) if head.status == _RESET_CONTENT else UntilClosed()


def _said(head: Head, name: str) -> list[str]:
    return [word.strip() for value in head.framing.get(name, ()) for word in value.split(",")]
