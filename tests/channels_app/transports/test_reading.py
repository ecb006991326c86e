"""Any bytes, in any pieces: read as one answer, or refused by one of our own errors, and the same however they come."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels_app.transports.http.errors import AnswerError, BodyCutOffError
from channels_app.transports.http.reading import AnswerReader
from channels_app.transports.net.deadline import MAX_HEAD_BYTES, HeadTooLargeError

bounded = settings(
    max_examples=500, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

Told = tuple[object, ...]


def told(pieces: list[bytes], *, closed: bool = True) -> Told:
    """All that a reader says of an answer that comes in these pieces, before the connection is closed."""
    reader, content, fault = AnswerReader(), bytearray(), None
    try:
        for piece in pieces:
            if reader.complete:
                break
            reader.feed(piece, content)
        if closed and not reader.complete:
            reader.end()
    except (AnswerError, HeadTooLargeError) as error:
        fault = type(error)
    head = reader.head
    said = (head.status, head.reason, head.version, dict(head.headers), head.framing) if head else None
    return said, bytes(content), fault, reader.complete


def split(data: bytes, at: list[int]) -> list[bytes]:
    """`data` in pieces that end at these places."""
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[begin:end] for begin, end in pairwise(ends)]


places = st.lists(st.integers(0, 2**20), max_size=12)
line_ends = st.sampled_from([b"\r\n"] * 6 + [b"\n", b"\r\r\n"])
tokens = st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True)
values = st.binary(max_size=12).map(lambda value: value.translate(None, b"\n"))
status_lines = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 404", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 x", b"HTTP/1.1 100 Continue"] * 2
    + [b"HTTP/1.1 20", b"HTTP/2 200", b"HTT", b"", b" HTTP/1.1\t500 ", b"SSH-2.0"]
)
header_lines = st.one_of(
    st.builds(lambda name, value: name + b": " + value, tokens, values),
    st.sampled_from(
        [
            *[b"Content-Length: 5", b"Content-Length: 3", b"Transfer-Encoding: chunked"] * 3,
            *(b"Content-Length : 5", b"Content-Length: 5, 5", b"Content-Length: x", b"Transfer-Encoding: gzip"),
            *(b"X-Frame-Options : DENY", b" folded", b"\tfolded", b"no colon", b":", b"Connection: close"),
        ]
    ),
    values,
)
chunks = st.sampled_from(
    [b"5\r\nhello\r\n", b"3;a=b\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"zz\r\n", b"2\nok\n", b"5\r\nhell"]
)
almost_answers = st.builds(
    lambda blank, start, lines, end, body: blank + end.join([start, *lines, b"", b""]) + b"".join(body),
    st.sampled_from([b"", b"", b"", b"\r\n", b"\n\r\n"]),
    status_lines,
    st.lists(header_lines, max_size=6),
    line_ends,
    st.lists(st.one_of(chunks, st.binary(max_size=9)), max_size=5),
)
streams = st.one_of(
    almost_answers,
    st.lists(almost_answers, min_size=2, max_size=3).map(b"".join),
    st.binary(max_size=80),
    st.binary(max_size=60).map(lambda rest: b"HTTP/1.1 200" + rest),
)


@bounded
@given(data=streams, at=places, closed=st.booleans())
@example(data=b"HTTP/1.1 200 OK\n\r\r\r\n\r\n", at=[18], closed=True)
@example(data=b"HTTP/1.1 100\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", at=[1, 15, 16, 17], closed=True)
def test_any_bytes_are_read_or_refused_and_the_pieces_make_no_difference(
    data: bytes, at: list[int], closed: bool
) -> None:
    whole = told([data], closed=closed)

    assert told(split(data, at), closed=closed) == whole
    assert told([data[place : place + 1] for place in range(len(data))], closed=closed) == whole


@settings(bounded, max_examples=60)
@given(
    first=st.sampled_from([b"", b"\r\n", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nA: "]),
    filling=st.sampled_from([b"\r\n", b"a", b"A: b\r\n", b" ", b"\r", b"HTTP/1.1 200\r\n\r\n"]),
    size=st.integers(MAX_HEAD_BYTES - 30, MAX_HEAD_BYTES + 30),
    end=st.sampled_from([b"", b"\r\n\r\n", b"\n", b"x"]),
    at=st.lists(st.integers(0, 2**20) | st.integers(MAX_HEAD_BYTES - 9, MAX_HEAD_BYTES + 9), max_size=6),
)
def test_the_limit_of_a_head_is_the_same_however_it_comes(
    first: bytes, filling: bytes, size: int, end: bytes, at: list[int]
) -> None:
    data = (first + filling * (size // len(filling) + 1))[:size] + end

    assert told(split(data, at)) == told([data])


names = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True).filter(
    lambda name: name.lower() not in {"content-length", "transfer-encoding", "connection"}
)
# Without blanks around, and without what ends a line.
texts = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n"), max_size=30).map(
    lambda text: text.strip(" \t")
)
headers = st.dictionaries(names, texts, max_size=12).filter(
    lambda given: len({name.lower() for name in given}) == len(given)
)
junk = st.lists(
    st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n:"), min_size=1, max_size=30).filter(
        lambda line: line[0] not in " \t"
    ),
    max_size=3,
)
interim = st.lists(
    st.sampled_from([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103\r\nLink: </a>\r\nno header\r\n\r\n"]), max_size=3
)


def in_chunks(body: bytes, at: list[int], extension: bytes, trailer: bytes) -> bytes:
    sized = [b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in split(body, at)]
    return b"".join([*sized, b"0", extension, b"\r\n", trailer, b"\r\n"])


@bounded
@given(
    before=interim,
    status=st.integers(200, 999).filter(lambda status: status not in {204, 205, 304}),
    headers=headers,
    junk=junk,
    body=st.binary(max_size=300),
    framing=st.sampled_from(["length", "chunks", "closed"]),
    extension=st.sampled_from([b"", b";a", b' ;a="b;c"']),
    trailer=st.sampled_from([b"", b"X-Sum: 1\r\n", b"no trailer\r\nA: b\r\n"]),
    cuts=places,
    at=places,
)
def test_an_answer_that_is_valid_by_construction_is_read_exactly(
    before: list[bytes],
    status: int,
    headers: dict[str, str],
    junk: list[str],
    body: bytes,
    framing: str,
    extension: bytes,
    trailer: bytes,
    cuts: list[int],
    at: list[int],
) -> None:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines[len(lines) // 2 : len(lines) // 2] = junk
    framed = {"length": {"Content-Length": str(len(body))}, "chunks": {"Transfer-Encoding": "chunked"}, "closed": {}}
    lines += [f"{name}: {value}" for name, value in framed[framing].items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Reason", *lines, "", ""]).encode("latin-1")
    data = b"".join([*before, head, in_chunks(body, cuts, extension, trailer) if framing == "chunks" else body])
    reader, content = AnswerReader(), bytearray()
    for piece in split(data, at):
        reader.feed(piece, content)
    if framing == "closed":
        reader.end()

    assert reader.head is not None
    assert (reader.head.status, reader.head.reason) == (status, "Reason")
    assert dict(reader.head.headers) == {**headers, **framed[framing]}
    assert (bytes(content), reader.complete) == (body, True)
    assert reader.may_be_followed is (framing != "closed")


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b" \t" * 40_000, id="blanks"),
        pytest.param(b"HTTP/1.1 200 OK" + b"\r\n " * 30_000, id="folds"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"\r" * 65_000, id="CR"),
        pytest.param(b" " * 65_000, id="blanks before"),
        pytest.param(b"\r\n" * 32_000, id="blank lines before"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"a:\n" * 21_000 + b"\n", id="one header twenty thousand times"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 65_000 + b"z", id="zeros"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 65_000 + b"\r\n\r\n", id="digits"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + b"," * 65_000 + b"\r\n\r\n", id="commas"),
        pytest.param(b"HTTP/1.1 100\n\n" * 20_000, id="interim answers"),
    ],
)
def test_no_bytes_take_long_to_read_a_byte_at_a_time(hostile: bytes) -> None:
    """What took the square of its length would take minutes."""
    told([hostile[place : place + 1] for place in range(len(hostile))])
    told([hostile])


def test_a_length_of_thousands_of_digits_is_a_number() -> None:
    _, content, fault, complete = told([b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nok"])

    assert (content, fault, complete) == (b"ok", BodyCutOffError, False)
