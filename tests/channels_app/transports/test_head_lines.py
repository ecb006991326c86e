"""Heads of answers as they are sent out there: what is no header is passed over, and a yes remains a yes."""

import ssl
from collections.abc import Iterator

import pytest
import trustme

from channels_app.transports import Outcome
from channels_app.transports.http.client import Client
from tests.channels_app.transports.sending import send
from tests.servers.hostile import HostileServer, Peer, head, sends, sends_then_hangs, server_context


@pytest.fixture(params=["tcp", "tls"])
def tls(request: pytest.FixtureRequest, ca: trustme.CA) -> Iterator[ssl.SSLContext | None]:
    yield server_context(ca, "127.0.0.1") if request.param == "tls" else None


NO_HEADERS = {
    "a blank before the colon": b"X-Frame-Options : DENY",
    "a tab before the colon": b"X-Frame-Options\t: DENY",
    "no colon": b"this is no header at all",
    "no name": b": DENY",
    "only a colon": b":",
    "a blank in the name": b"X Frame Options: DENY",
    "a name in brackets": b"[X-Frame-Options]: DENY",
    "a name that is not ASCII": "Größe: 1".encode(),
    "a name in Latin-1": b"Gr\xf6\xdfe: 1",
    "a NUL in the name": b"X-\0: 1",
    "a control byte in the name": b"X-\x01\x7f: 1",
    "a lone CR in the name": b"X-\rY: 1",
    "a second status line": b"HTTP/1.1 200 OK",
    "a line of PHP": b"<b>Warning</b> Cannot modify header information in /var/www/x.php on line 7",
    "a line of a stack trace": b"Traceback (most recent call last)",
    "a byte order mark": b"\xef\xbb\xbfX-Mark: 1",
    "a NUL alone": b"\0",
    "a CR alone": b"\r\r\r",
    "all bytes": bytes(set(range(256)) - {10}),
    "a very long one": b"x" * 50_000,
}


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("line", NO_HEADERS.values(), ids=NO_HEADERS)
def test_a_line_that_is_no_header_is_passed_over_and_the_others_count(
    line: bytes, place: str, tls: ssl.SSLContext | None
) -> None:
    """The receiver keeps the connection open: whoever lost its length would wait for the end of the body."""
    others = [b"Content-Length: 2", b"Retry-After: 7", b"X-Id: 1"]
    lines = [line, *others] if place == "first" else [*others, line]
    data = b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b"ok"])
    with HostileServer(sends_then_hangs(data), tls=tls) as server:
        answer = send(server.url, timeout=20)

    assert (answer.outcome, answer.status_code, answer.error) == (Outcome.SUCCEEDED, 200, "")
    assert answer.response_headers == {"Content-Length": "2", "Retry-After": "7", "X-Id": "1"}
    assert (answer.response_body, answer.retry_after) == ("ok", 7.0)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"X-Odd: a\x01\x7fb", "a\x01\x7fb"),
        (b"X-Odd: a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        (b"X-Odd: a\rb", "a b"),
        (b"X-Odd: gr\xf6\xdfe", "größe"),
        (b"X-Odd:a:b: c", "a:b: c"),
        (b"X-Odd: \t a \t ", "a"),
        (b"X-Odd:", ""),
        (b"X-Odd: a\r\n b\r\n\t c", "a b c"),
        (b"X-Odd:\r\n a", "a"),
    ],
)
def test_a_header_with_an_odd_value_is_a_header(line: bytes, value: str) -> None:
    data = b"\r\n".join([b"HTTP/1.1 200 OK", line, b"Content-Length: 2", b"", b"ok"])
    with HostileServer(sends_then_hangs(data)) as server:
        answer = send(server.url, timeout=20)

    assert answer.outcome == Outcome.SUCCEEDED
    assert answer.response_headers == {"X-Odd": value, "Content-Length": "2"}
    assert answer.response_body == "ok"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\nX-Id: 1\n\nok", id="LF alone"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\nX-Id: 1\r\n\nok", id="LF here and there"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\nX-Id: 1\n\r\nok", id="CRLF at the end alone"),
        pytest.param(b"HTTP/1.1 200 OK\r\r\nContent-Length: 2\r\r\nX-Id: 1\r\r\n\r\r\nok", id="CR CR LF"),
        pytest.param(b"HTTP/1.1 200 OK\r\n X-Folded: 1\r\nContent-Length: 2\r\nX-Id: 1\r\n\r\nok", id="fold at first"),
        pytest.param(b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Id: 1\r\n\r\nok", id="blank lines before"),
    ],
)
def test_lines_that_end_otherwise_are_read(data: bytes, tls: ssl.SSLContext | None) -> None:
    with HostileServer(sends_then_hangs(data), tls=tls) as server:
        answer = send(server.url, timeout=20)

    assert (answer.outcome, answer.response_body) == (Outcome.SUCCEEDED, "ok"), answer.error
    assert answer.response_headers == {"Content-Length": "2", "X-Id": "1"}


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1  200   OK",
        b"HTTP/1.1\t200\tOK",
        b" HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/1.1 200 " + b"OK" * 9999,
        b"HTTP/1.1 200 Gr\xf6\xdfe\0\x01\r!",
    ],
)
def test_a_status_line_is_read_as_generously_as_others_read_it(line: bytes) -> None:
    with HostileServer(sends_then_hangs(line + b"\r\nContent-Length: 2\r\n\r\nok")) as server:
        answer = send(server.url, timeout=20)

    assert (answer.outcome, answer.status_code, answer.response_body) == (Outcome.SUCCEEDED, 200, "ok")


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 OK",
        b"HTTP/1.1",
        b"HTTP/2 200 OK",
        b"HTTP/2.0 200 OK",
        b"HTTP 200 OK",
        b"ICY 200 OK",
        b"200 OK",
    ],
)
def test_what_is_no_status_line_is_no_answer_and_is_not_waited_for(line: bytes) -> None:
    with HostileServer(sends_then_hangs(line + b"\r\n")) as server:
        answer = send(server.url, timeout=20)

    assert (answer.outcome, answer.status_code) == (Outcome.PROTOCOL_ERROR, None)
    assert answer.error == "The answer is not valid HTTP."


def test_more_than_a_hundred_headers_are_read(tls: ssl.SSLContext | None) -> None:
    lines = [f"X-{number}: {number}" for number in range(3000)]
    data = head(200, *lines, "Content-Length: 2") + b"ok"
    with HostileServer(sends_then_hangs(data), tls=tls) as server:
        answer = send(server.url, timeout=20)

    assert (answer.outcome, answer.response_body) == (Outcome.SUCCEEDED, "ok")
    assert len(answer.response_headers) == 3001
    assert answer.response_headers["X-2999"] == "2999"


@pytest.mark.parametrize(("above", "outcome"), [(0, Outcome.SUCCEEDED), (1, Outcome.PROTOCOL_ERROR)])
def test_a_head_is_at_most_64_kib(above: int, outcome: Outcome) -> None:
    bare = len(head(200, "Content-Length: 70000", "A: "))
    data = head(200, "Content-Length: 70000", "A: " + "b" * (65536 - bare + above))
    with HostileServer(sends(data + b"x" * 70_000)) as server:
        answer = send(server.url)

    assert answer.outcome == outcome
    assert answer.error == ("The headers of the answer are larger than 64 KiB." if above else "")


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        pytest.param(["Content-Length: 2", "Content-Length: 2"], b"ok", id="twice the same"),
        pytest.param(["Content-Length: 2, 2"], b"ok", id="twice in one"),
        pytest.param(["Content-Length: 2", "Content-Length: 002"], b"ok", id="once with zeros"),
        pytest.param(["Content-Length: two", "Content-Length: 2"], b"ok", id="one in words"),
        pytest.param(["Content-Length : 2"], b"ok", id="a blank before the colon"),
        pytest.param(["Transfer-Encoding : chunked"], b"2\r\nok\r\n0\r\n\r\n", id="chunked, blank before the colon"),
        pytest.param(["Transfer-Encoding: Chunked"], b"2\r\nok\r\n0\r\n\r\n", id="chunked in capitals"),
        pytest.param(["Transfer-Encoding: identity, chunked"], b"2\r\nok\r\n0\r\n\r\n", id="chunked at last"),
        pytest.param(["Transfer-Encoding: identity", "Content-Length: 2"], b"ok", id="identity"),
        pytest.param(
            ["Transfer-Encoding: chunked", "Content-Length: 9"], b"2\r\nok\r\n0\r\n\r\n", id="a length beside chunks"
        ),
        pytest.param(
            ["Transfer-Encoding: chunked", "Content-Length: 1", "Content-Length: 9"],
            b"2\r\nok\r\n0\r\n\r\n",
            id="two lengths beside chunks",
        ),
        pytest.param(
            ["Transfer-Encoding: chunked"],
            b'1;a=b;c="d"\r\no\r\n001 ;x\r\nk\r\n0;last\r\nX-Sum: 1\r\nno trailer\r\n\r\n',
            id="extensions and trailers",
        ),
        pytest.param(["Transfer-Encoding: chunked"], b"2\nok\n0\n\n", id="chunks with LF alone"),
    ],
)
def test_the_end_of_a_body_is_found_and_the_connection_is_not_waited_for(lines: list[str], body: bytes) -> None:
    with HostileServer(sends_then_hangs(head(200, *lines) + body)) as server:
        answer = send(server.url, timeout=20)

    assert (answer.outcome, answer.response_body) == (Outcome.SUCCEEDED, "ok"), answer.error


@pytest.mark.parametrize(
    "lines", [["Content-Length: 2", "Content-Length: 3"], ["Content-Length: 2, 3"], ["Content-Length: 3, 2, 2"]]
)
@pytest.mark.parametrize("status", [200, 500])
def test_two_lengths_that_differ_are_no_answer(status: int, lines: list[str]) -> None:
    with HostileServer(sends_then_hangs(head(status, *lines) + b"ok")) as server:
        answer = send(server.url, timeout=20)

    assert (answer.outcome, answer.status_code) == (Outcome.PROTOCOL_ERROR, None)


@pytest.mark.parametrize(
    ("first", "kept"),
    [
        (head(200, "Content-Length: 2", "X-Frame-Options : DENY") + b"ok", True),
        (head(200, "Content-Length: 2", "Content-Length: 2") + b"ok", True),
        (head(200, "Transfer-Encoding: chunked") + b"2;x\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n", True),
        (head(200, "Content-Length : 2") + b"ok", False),
        (head(200, "Transfer-Encoding: chunked", "Content-Length: 2") + b"2\r\nok\r\n0\r\n\r\n", False),
        (head(200, "Transfer-Encoding: identity", "Content-Length: 2") + b"ok", False),
        (head(200, "Content-Length: 2", "Connection: x, Close") + b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", True),
        (head(204), False),
        (head(205), False),
        (head(205, "Content-Length: 0"), False),
    ],
)
def test_a_connection_is_kept_only_where_the_end_of_the_answer_is_beyond_doubt(first: bytes, kept: bool) -> None:
    client = Client()

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(first)
        peer.read_request()
        peer.send(head(200, "Content-Length: 2") + b"ok")

    with HostileServer(behaviour) as server:
        told = [send(server.url, through=client, timeout=20) for _ in range(2)]

    assert [answer.outcome for answer in told] == [Outcome.SUCCEEDED] * 2
    assert [answer.connection.kept for answer in told] == [False, kept]


@pytest.mark.parametrize("ending", [b"0\r\n", b"0\r\nX-Sum: 1\r\n", b"0\n"])
def test_whoever_closes_after_the_last_chunk_has_sent_all_of_it(ending: bytes) -> None:
    with HostileServer(sends(head(500, "Transfer-Encoding: chunked") + b"2\r\nok\r\n" + ending)) as server:
        answer = send(server.url)

    assert (answer.outcome, answer.status_code, answer.response_body) == (Outcome.HTTP_ERROR, 500, "ok")


def test_what_came_before_a_broken_chunk_is_kept() -> None:
    with HostileServer(sends(head(200, "Transfer-Encoding: chunked") + b"2\r\nok\r\nzz\r\n")) as server:
        answer = send(server.url)

    assert (answer.outcome, answer.status_code, answer.response_body) == (Outcome.PROTOCOL_ERROR, 200, "ok")
    assert answer.error == "The answer (200 OK) is not valid HTTP."
