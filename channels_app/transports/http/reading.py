"""One answer, read out of whatever pieces it comes in. Knows nothing of sockets."""

from channels_app.transports.http.body import Body, body_of
from channels_app.transports.http.errors import HeadCutOffError
from channels_app.transports.http.head import END, LONGEST_END, Head, check_beginning, check_status_line, parse_head
from channels_app.transports.net.deadline import MAX_HEAD_BYTES, HeadTooLargeError

# A body sent with one of these all the same would be read as the next answer: nothing may follow them.
_WITHOUT_BODY = frozenset({101, 204, 205, 304})


class AnswerReader:
    """`feed` it what comes, until it is `complete`, and tell it of the `end` where the connection is closed.

    `head` is that of the final answer, None until it is whole. Interim answers before it are passed over, and so are
    blank lines. A head is at most 64 KiB, whatever it consists of.
    """

    def __init__(self) -> None:
        self.head: Head | None = None
        self._body: Body | None = None
        self._buffer = bytearray()
        self._blank = 0  # bytes of blank lines before this head
        self._searched = 0  # up to there, the buffer has no end of a head
        self._is_begun = False  # the status line is whole, and is one
        self._is_ended = False  # the connection was closed

    @property
    def complete(self) -> bool:
        return self._body is not None and self._body.complete

    @property
    def may_be_followed(self) -> bool:
        """Whether the connection is at the end of the answer, and good for another one."""
        head, body = self.head, self._body
        return (
            head is not None
            and body is not None
            and body.complete
            and not self._is_ended
            and not body.rest
            and not head.is_odd
            and head.keeps_connection
            and head.status not in _WITHOUT_BODY
        )

    def feed(self, data: bytes, content: bytearray) -> None:
        """Take what has come; what of it is content of the body is added to `content`.

        Raises `AnswerError` and `HeadTooLargeError`, after it has added what came before the fault.
        """
        if self._body is not None:
            self._body.feed(data, content)
            return
        self._buffer += data
        while (head := self._next_head()) is not None:
            if head.is_interim:
                continue
            self.head, self._body = head, body_of(head)
            rest = bytes(self._buffer)
            self._buffer.clear()
            self._body.feed(rest, content)
            return

    def end(self) -> None:
        """The connection was closed. Raises `AnswerError` where the answer is not whole."""
        self._is_ended = True
        if self._body is None:
            raise HeadCutOffError("The connection was closed within the headers.")
        self._body.end()

    def _next_head(self) -> Head | None:
        buffer = self._buffer
        if not self._is_begun:
            self._begin()
        found = END.search(buffer, self._searched)
        _check_size(self._blank + (found.end() if found else len(buffer)))
        if found is None:
            self._searched = max(0, len(buffer) - LONGEST_END + 1)
            return None
        head = parse_head(bytes(buffer[: found.start()]))
        del buffer[: found.end()]
        self._blank = self._searched = 0
        self._is_begun = False
        return head

    def _begin(self) -> None:
        """Look at what may be a status line as soon as it comes: what is none is not waited for."""
        buffer = self._buffer
        if bytes(buffer[:1]) in {b"\r", b"\n"}:
            blank = len(buffer) - len(buffer.lstrip(b"\r\n"))
            self._blank += blank
            del buffer[:blank]
            _check_size(self._blank)
        check_beginning(buffer)
        end = buffer.find(b"\n", self._searched) + 1
        if end:
            _check_size(self._blank + end)
            check_status_line(bytes(buffer[: end - 1]))
            self._is_begun = True


def _check_size(size: int) -> None:
    if size > MAX_HEAD_BYTES:
        raise HeadTooLargeError(f"more than {MAX_HEAD_BYTES} bytes")
