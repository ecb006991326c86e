"""What of an answer is kept for the log, and what is read out of it."""

import tracemalloc
from datetime import UTC, datetime

import pytest

from channels_app.transports import Outcome
from channels_app.transports.http.answers import retry_after
from tests.channels_app.transports.sending import NOW, send
from tests.servers.hostile import Behaviour, HostileServer, answers, floods, head, sends

BLOCK = b"x" * 65536


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("9" * 900, 3600.0),
        ("Mon, 23 Nov 2026 18:41:00 GMT", 300.0),
        ("Mon, 23 Nov 2026 20:41:00 +0200", 300.0),
        ("Monday, 23-Nov-26 18:41:00 GMT", 300.0),
        ("Mon Nov 23 18:41:00 2026", 300.0),
        ("Mon, 23 Nov 2026 18:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2099 00:00:00 GMT", 3600.0),
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("inf", None),
        ("Mon, 99 Nov 2026 18:41:00 GMT", None),
        ("Mon, 23 Nov 99999 18:41:00 GMT", None),
        ("Mon, 23 Nov 2026 18:41:00 +9999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_rubbish_is_ignored(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=NOW) == seconds


def test_retry_after_is_read_from_the_answer() -> None:
    with HostileServer(answers(503, b"", "Retry-After: Mon, 23 Nov 2026 18:37:30 GMT")) as server:
        answer = send(server.url, now=datetime(2026, 11, 23, 18, 36, tzinfo=UTC))

    assert answer.outcome == Outcome.HTTP_ERROR
    assert answer.retry_after == 90.0
    assert answer.error == "The receiver answered 503 Service Unavailable."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        ('{"größe": 1}'.encode(), '{"größe": 1}'),
        (b"a\x00b", "a\ufffdb"),
        (b"a" * 16384, "a" * 16384),
        (b"a" * 16385, "a" * 16384),
        (b"a" * 16383 + "ö".encode(), "a" * 16383),  # no half characters
        (b"\x1f\x8b\x08\x00\xff", "[binary content, 5 bytes]"),
        (b"\xff" * 100_000, "[binary content, 65536 bytes or more]"),
    ],
)
def test_sixteen_kib_of_the_body_are_kept_as_text(body: bytes, text: str) -> None:
    with HostileServer(answers(200, body)) as server:
        assert send(server.url).response_body == text


def test_headers_are_kept_as_text_that_can_be_stored() -> None:
    behaviour = sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Latin: gr\xf6\xdfe\r\nX-Nul: a\x00b\r\n"
        b"X-Utf: gr\xc3\xb6\xc3\x9fe\r\n"
        b"X-Twice: 1\r\nX-Long: " + b"v" * 5000 + b"\r\nX-Twice: 2\r\n\r\n"
    )
    with HostileServer(behaviour) as server:
        answer = send(server.url)

    assert answer.outcome == Outcome.SUCCEEDED
    assert answer.response_headers == {
        "Content-Length": "0",
        "X-Latin": "größe",
        "X-Utf": "größe",
        "X-Nul": "a\ufffdb",
        "X-Twice": "1, 2",
        "X-Long": "v" * 1024,
    }


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(floods(head(200), BLOCK), id="body"),
        pytest.param(floods(head(302, "Location: /"), BLOCK), id="body of a redirect"),
        pytest.param(floods(b"", BLOCK), id="status line"),
        pytest.param(floods(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 9999), id="headers"),
        pytest.param(floods(head(200, "Transfer-Encoding: chunked"), BLOCK), id="chunk size"),
        pytest.param(floods(head(200, "Transfer-Encoding: chunked") + b"0\r\n", b"A: b\r\n" * 9999), id="trailers"),
        pytest.param(floods(b"", head(103, "Link: </a>") * 999), id="interim answers"),
    ],
)
def test_an_endless_answer_takes_little_memory(behaviour: Behaviour) -> None:
    with HostileServer(behaviour) as server:
        send(server.url, timeout=0.3)  # what is loaded once is loaded now
        tracemalloc.start()
        try:
            answer = send(server.url, timeout=0.6)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert len(answer.response_body) <= 16384
    assert peak < 1024 * 1024
