"""What a receiver says in packed answers and in other charsets than UTF-8."""

import codecs
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.transports import Outcome
from channels_app.transports.http.answers import KEPT_BODY_BYTES, body_text
from tests.channels_app.transports.sending import send
from tests.servers.hostile import HostileServer, answers, head, sends

WORDS = '{"error": "größe is not known"}'
PLAIN = WORDS.encode()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def says(body: bytes, *headers: str) -> str:
    """What the log has of an answer."""
    with HostileServer(answers(422, body, *headers)) as server:
        answer = send(server.url)
    assert answer.outcome == Outcome.HTTP_ERROR
    return answer.response_body


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("x-gzip", gzip.compress(PLAIN, mtime=0)),
        ("GZIP", gzip.compress(PLAIN, mtime=0)),
        ("gzip", gzip.compress(PLAIN[:9], mtime=0) + gzip.compress(PLAIN[9:], mtime=0)),  # two members
        ("gzip", gzip.compress(PLAIN, mtime=0) + b"\0" * 100),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-8]),  # without its end
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-8] + b"\xff" * 8),  # with a wrong sum
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", raw_deflate(PLAIN)),
        ("identity", PLAIN),
        ("", PLAIN),
        ("identity, gzip", gzip.compress(PLAIN, mtime=0)),
        ("deflate, gzip", gzip.compress(zlib.compress(PLAIN), mtime=0)),
        # Not what the header says.
        ("gzip", PLAIN),
        ("deflate", PLAIN),
        ("br", PLAIN),
        ("utf-8", PLAIN),
        (", ".join(["gzip"] * 5000), PLAIN),
    ],
)
def test_a_packed_answer_is_shown_in_the_receivers_words(coding: str, body: bytes) -> None:
    assert says(body, f"Content-Encoding: {coding}") == WORDS


def test_nothing_packed_is_nothing() -> None:
    assert says(gzip.compress(b""), "Content-Encoding: gzip") == ""
    assert says(b"", "Content-Encoding: gzip") == ""


def test_a_packed_answer_of_a_named_charset() -> None:
    body = gzip.compress(WORDS.encode("utf-16-be"))
    assert says(body, "Content-Encoding: gzip", "Content-Type: application/json; charset=UTF-16BE") == WORDS


def test_of_a_packed_answer_that_breaks_off_what_came_is_shown() -> None:
    long = "".join(f"line {number}\n" for number in range(5000))
    packed = gzip.compress(long.encode())
    with HostileServer(
        sends(head(500, f"Content-Length: {len(packed)}", "Content-Encoding: gzip"), packed[:900])
    ) as it:
        answer = send(it.url)

    assert answer.outcome == Outcome.PROTOCOL_ERROR
    assert long.startswith(answer.response_body)
    assert len(answer.response_body) > 900


def test_of_a_packed_answer_with_a_fault_what_comes_before_it_is_shown() -> None:
    noise = "".join(f"{number * 7919 % 104729:x} " for number in range(2000))
    packed = bytearray(zlib.compress(noise.encode(), 9))
    packed[2000:] = b"\xff" * (len(packed) - 2000)
    shown = says(bytes(packed), "Content-Encoding: deflate")

    assert len(shown) > 2000
    assert noise.startswith(shown[:2000])


@pytest.mark.parametrize(
    ("coding", "body", "note"),
    [
        ("gzip", b"\x1f\x8b\x08\x00\xff", "[content packed with gzip that could not be unpacked, 5 bytes]"),
        ("br", b"\x0b\x02\x80hello\x03", "[content packed with br that could not be unpacked, 9 bytes]"),
        ("zstd", b"\x28\xb5\x2f\xfd", "[content packed with zstd that could not be unpacked, 4 bytes]"),
        ("deflate", b"\xff" * 9, "[content packed with deflate that could not be unpacked, 9 bytes]"),
        ("<b>", b"\xff" * 9, "[content packed with something that could not be unpacked, 9 bytes]"),
        ("", gzip.compress(PLAIN, mtime=0), "[binary content, 53 bytes]"),
    ],
)
def test_what_cannot_be_unpacked_is_said_to_be_so(coding: str, body: bytes, note: str) -> None:
    assert says(body, f"Content-Encoding: {coding}") == note


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(lambda: gzip.compress(b"a" * 60_000_000), id="gzip"),
        pytest.param(lambda: gzip.compress(gzip.compress(b"a" * 60_000_000)), id="gzip in gzip"),
        pytest.param(lambda: gzip.compress(b"") * 3000 + gzip.compress(b"a" * 1_000_000), id="3001 members"),
    ],
)
def test_a_bomb_stays_a_bomb_unopened(bomb: Callable[[], bytes]) -> None:
    packed = bomb()
    body = packed[:65536]
    coding = "gzip, gzip" if gzip.decompress(packed)[:2] == b"\x1f\x8b" else "gzip"
    headers = {"Content-Encoding": coding}
    body_text(body, headers)  # what is loaded once is loaded now
    tracemalloc.start()
    try:
        began = time.monotonic()
        shown = body_text(body, headers)
        took = time.monotonic() - began
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert shown == "a" * KEPT_BODY_BYTES
    assert peak < 1024 * 1024
    assert took < 3


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain; charset=iso-8859-1", "größe".encode("latin-1")),
        ('text/plain; charset="ISO-8859-1"', "größe".encode("latin-1")),
        ("text/plain;charset=windows-1252; x=y", "größe".encode("cp1252")),
        ("text/plain; charset=utf-16", "größe".encode("utf-16")),
        ("text/plain; charset=utf-16le", "größe".encode("utf-16-le")),
        ("text/plain; charset=utf-8", "größe".encode("utf-16")),  # the mark goes before the name
        ("text/plain; charset=utf-8", codecs.BOM_UTF8 + "größe".encode()),
        ("", codecs.BOM_UTF8 + "größe".encode()),
        ("", "größe".encode("utf-16")),
        ("", codecs.BOM_UTF16_BE + "größe".encode("utf-16-be")),
        ("", "größe".encode("utf-32")),
        ("text/plain; charset=us-ascii", "größe".encode()),  # not what it says
        ("text/plain; charset=utf-16", "größe".encode()),
        ("text/plain; charset=klingon", "größe".encode()),
        ("text/plain; charset=zlib", "größe".encode()),
        ("text/plain; charset=undefined", "größe".encode()),
        ("text/plain; charset=unicode_escape", "größe".encode()),
        ("text/plain; charset=" + "a" * 5000, "größe".encode()),
    ],
)
def test_an_answer_in_another_charset_is_shown_in_the_receivers_words(content_type: str, body: bytes) -> None:
    assert says(body, f"Content-Type: {content_type}") == "größe"


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("application/octet-stream; charset=klingon", "[content in the unknown charset klingon, 5 bytes]"),
        ("application/octet-stream; charset=hex", "[content in the unknown charset hex, 5 bytes]"),
        ("application/octet-stream; charset=utf-8", "[binary content, 5 bytes]"),
        ("application/octet-stream", "[binary content, 5 bytes]"),
        # Words without a charset of theirs: what can be read of them.
        ("text/plain", "gr\ufffd\ufffde"),
        ("application/problem+json; charset=klingon", "gr\ufffd\ufffde"),
    ],
)
def test_what_cannot_be_decoded(content_type: str, text: str) -> None:
    assert says("größe".encode("latin-1"), f"Content-Type: {content_type}") == text


def test_what_is_no_text_is_not_shown_as_text_whatever_it_is_called() -> None:
    packed = gzip.compress(PLAIN, mtime=0)
    assert says(packed, "Content-Type: text/html") == f"[binary content, {len(packed)} bytes]"


def test_what_is_decoded_can_be_stored() -> None:
    shown = says(b"a+2AA-b\0", "Content-Type: text/plain; charset=utf-7")
    assert shown.encode() == b"a?b\xef\xbf\xbd"


@pytest.mark.parametrize("coding", ["gzip", "identity"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("before", "shown"),
    [
        ("you said ", "you said ********"),
        # It ends beyond what is kept: not even its beginning is.
        ("x" * (KEPT_BODY_BYTES - 10), "x" * (KEPT_BODY_BYTES - 10) + "********"),
        ("x" * (KEPT_BODY_BYTES - 5), "x" * (KEPT_BODY_BYTES - 5) + "*****"),
    ],
    ids=["within", "at the end", "across the end"],
)
def test_a_credential_in_an_answer_is_masked_beneath_all_of_it(
    coding: str, charset: str, before: str, shown: str
) -> None:
    body = (before + "hush-hush-hush").encode(charset)
    body = gzip.compress(body) if coding == "gzip" else body
    headers = [f"Content-Encoding: {coding}", f"Content-Type: text/plain; charset={charset}"]
    with HostileServer(answers(200, body, *headers)) as server:
        answer = send(server.url, headers={"X-Token": "hush-hush-hush"})

    assert answer.response_body == shown
    assert "hush" not in repr(answer)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    body=st.binary(max_size=200)
    | st.binary(max_size=200).map(gzip.compress)
    | st.binary(max_size=200).map(zlib.compress),
    coding=st.sampled_from(["", "gzip", "deflate", "gzip, deflate", "br", "\0", "ß"]),
    content_type=st.sampled_from(["", "text/plain", "a; charset=utf-7", "text/x; charset=iso-2022-jp", "; charset=hz"])
    | st.text(max_size=30).map(lambda name: f"text/plain; charset={name}"),
)
def test_whatever_comes_is_told_and_can_be_stored(body: bytes, coding: str, content_type: str) -> None:
    text = body_text(body, {"content-encoding": coding, "CONTENT-TYPE": content_type})
    assert "\0" not in text
    assert len(text.encode()) <= 3 * KEPT_BODY_BYTES
