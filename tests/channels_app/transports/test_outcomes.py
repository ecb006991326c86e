"""Every row of the contract's table of outcomes, against a hostile server over TCP and over TLS."""

import ssl
from collections.abc import Iterator

import pytest
import trustme

from channels_app.transports import Message, Outcome
from tests.channels_app.transports.sending import cut_while, send
from tests.servers.hostile import (
    Behaviour,
    HostileServer,
    answers,
    closes_at_once,
    drip_body,
    drips,
    drips_handshake,
    floods,
    hangs_after_accept,
    hangs_after_request,
    head,
    resets_at_once,
    sends,
    sends_then_hangs,
    sends_then_resets,
    server_context,
)

CHUNKED = "Transfer-Encoding: chunked"
BLOCK = b"x" * 65536


@pytest.fixture(params=["tcp", "tls"])
def tls(request: pytest.FixtureRequest, ca: trustme.CA) -> Iterator[ssl.SSLContext | None]:
    yield server_context(ca, "127.0.0.1") if request.param == "tls" else None


@pytest.mark.parametrize(
    ("behaviour", "outcome", "status"),
    [
        pytest.param(answers(200), "succeeded", 200, id="200"),
        pytest.param(answers(204, b""), "succeeded", 204, id="204"),
        pytest.param(answers(299), "succeeded", 299, id="299"),
        pytest.param(answers(301, b"", "Location: /elsewhere"), "http_error", 301, id="redirect"),
        pytest.param(answers(307, b"", "Location: /elsewhere"), "http_error", 307, id="redirect that keeps POST"),
        pytest.param(answers(400), "http_error", 400, id="400"),
        pytest.param(answers(410), "gone", 410, id="410"),
        pytest.param(answers(429), "http_error", 429, id="429"),
        pytest.param(answers(503), "http_error", 503, id="503"),
        pytest.param(answers(999), "http_error", 999, id="999"),
        pytest.param(sends(head(101, "Upgrade: websocket")), "http_error", 101, id="switches protocols"),
        pytest.param(sends(head(100) + head(102) + head(103, "Link: </a>") + head(201)), "succeeded", 201, id="1xx"),
        pytest.param(sends(head(200) + b"until it closes"), "succeeded", 200, id="body without a length"),
        pytest.param(sends(head(200, CHUNKED) + b"2\r\nok\r\n0\r\n\r\n"), "succeeded", 200, id="chunked"),
        pytest.param(sends_then_hangs(head(200, "Content-Length: 2") + b"ok"), "succeeded", 200, id="kept open"),
        pytest.param(sends(head(200, "Content-Length: 2") + b"ok and more"), "succeeded", 200, id="longer than said"),
        pytest.param(sends(head(200, "Content-Length: 9") + b"ok"), "succeeded", 200, id="2xx shorter than said"),
        pytest.param(sends(head(200, "Content-Length: 9")), "succeeded", 200, id="2xx without its body"),
        pytest.param(sends(head(200, CHUNKED) + b"5\r\nhel"), "succeeded", 200, id="2xx closed within a chunk"),
        pytest.param(sends_then_resets(head(200, "Content-Length: 9") + b"ok"), "succeeded", 200, id="2xx reset"),
        pytest.param(floods(head(200), BLOCK), "succeeded", 200, id="2xx of endless body"),
        pytest.param(floods(head(200, "Content-Length: 99999999"), BLOCK), "succeeded", 200, id="2xx of huge body"),
        pytest.param(
            floods(head(200, CHUNKED), b"8\r\nabcdefgh\r\n" * 999), "succeeded", 200, id="2xx, endless chunks"
        ),
        pytest.param(floods(head(500), BLOCK), "http_error", 500, id="500 of endless body"),
        pytest.param(floods(head(302, "Location: /"), BLOCK), "http_error", 302, id="redirect of endless body"),
        pytest.param(floods(head(410), BLOCK), "gone", 410, id="410 of endless body"),
        pytest.param(closes_at_once, "connection_error", None, id="closes at once"),
        pytest.param(resets_at_once, "connection_error", None, id="resets at once"),
        pytest.param(sends(), "connection_error", None, id="closes before it answers"),
        pytest.param(sends_then_resets(b""), "connection_error", None, id="resets before it answers"),
        pytest.param(sends(b"H"), "protocol_error", None, id="closes after one byte"),
        pytest.param(sends(b"HTTP/1.1 200"), "protocol_error", None, id="closes in the status line"),
        pytest.param(sends(b"HTTP/1.1 200 OK\r\nA: b\r\n"), "protocol_error", None, id="closes in the headers"),
        pytest.param(sends_then_resets(b"HTTP/1.1 200 OK\r\nA:"), "protocol_error", None, id="resets in the headers"),
        pytest.param(sends(head(100)), "protocol_error", None, id="closes after 100"),
        pytest.param(sends(b"\x00\xff garbage\r\n\r\n"), "protocol_error", None, id="garbage"),
        pytest.param(sends(b"\r\n\r\n"), "protocol_error", None, id="empty lines"),
        pytest.param(sends(b"SSH-2.0-OpenSSH_9.9\r\n"), "protocol_error", None, id="SSH"),
        pytest.param(sends(b"HTTP/2 200 OK\r\n\r\n"), "protocol_error", None, id="HTTP/2 in clear"),
        pytest.param(sends(head("twohundred")), "protocol_error", None, id="status in words"),
        pytest.param(sends(head("20")), "protocol_error", None, id="status of two digits"),
        pytest.param(sends(head(200, "Content-Length: 1", "Content-Length: 2")), "protocol_error", None, id="lengths"),
        pytest.param(sends(b"HTTP/1.1 " + BLOCK + BLOCK), "protocol_error", None, id="endless status line"),
        pytest.param(floods(b"HTTP/1.1 200 OK\r\nA: ", BLOCK), "protocol_error", None, id="endless header"),
        pytest.param(floods(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 99), "protocol_error", None, id="endless headers"),
        pytest.param(sends(head(200, *["A: " + "b" * 2000] * 40)), "protocol_error", None, id="headers above 64 KiB"),
        pytest.param(sends(head(200, CHUNKED) + b"zz\r\nhello\r\n"), "protocol_error", 200, id="2xx, no chunk size"),
        pytest.param(floods(head(200, CHUNKED), BLOCK), "protocol_error", 200, id="2xx, endless chunk size"),
        pytest.param(sends(head(500, "Content-Length: 9") + b"ok"), "protocol_error", 500, id="500 shorter than said"),
        pytest.param(sends(head(410, CHUNKED) + b"5\r\nhel"), "protocol_error", 410, id="410 closed within a chunk"),
        pytest.param(sends_then_resets(head(302, "Content-Length: 9")), "protocol_error", 302, id="302 reset"),
    ],
)
def test_outcome(behaviour: Behaviour, outcome: str, status: int | None, tls: ssl.SSLContext | None) -> None:
    with HostileServer(behaviour, tls=tls) as server:
        answer = send(server.url)

    assert (answer.outcome, answer.status_code) == (Outcome(outcome), status), answer.error
    assert bool(answer.error) is (answer.outcome != Outcome.SUCCEEDED)
    assert answer.url == server.url
    assert server.connections == 1


@pytest.mark.parametrize(
    ("behaviour", "status", "phase"),
    [
        pytest.param(hangs_after_accept, None, None, id="hangs after accept", marks=pytest.mark.slow),
        pytest.param(hangs_after_request, None, "waiting for an answer", id="hangs after the request"),
        pytest.param(
            drips(b"HTTP/1.1 200 "), None, "reading the answer", id="drips the status line", marks=pytest.mark.slow
        ),
        pytest.param(
            drips(b"HTTP/1.1 200 OK\r\nA: "), None, "reading the answer", id="drips the headers", marks=pytest.mark.slow
        ),
        pytest.param(
            sends_then_hangs(b"HTTP/1.1 200 OK\r\n"),
            None,
            "reading the answer",
            id="hangs in the headers",
            marks=pytest.mark.slow,
        ),
        pytest.param(drip_body(200), 200, "reading the answer", id="drips a 2xx body", marks=pytest.mark.slow),
        pytest.param(
            drip_body(200, "Content-Length: 9999"),
            200,
            "reading the answer",
            id="drips a 2xx of known length",
            marks=pytest.mark.slow,
        ),
        pytest.param(drip_body(200, CHUNKED), 200, "reading the answer", id="drips 2xx chunks", marks=pytest.mark.slow),
        pytest.param(drip_body(500), 500, "reading the answer", id="drips a 500 body", marks=pytest.mark.slow),
        pytest.param(floods(b"", head(103, "Link: </a>") * 9), None, "reading the answer", id="floods with 1xx"),
    ],
)
def test_the_deadline_cuts(
    behaviour: Behaviour, status: int | None, phase: str | None, tls: ssl.SSLContext | None
) -> None:
    phase = phase or ("agreeing on TLS" if tls else "waiting for an answer")
    with HostileServer(behaviour, tls=tls) as server:
        answer = cut_while(phase, lambda seconds: send(server.url, timeout=seconds))

    assert answer.status_code == status


def test_the_deadline_cuts_a_dripping_tls_handshake(ca: trustme.CA) -> None:
    with HostileServer(drips_handshake, tls=server_context(ca, "127.0.0.1")) as server:
        cut_while("agreeing on TLS", lambda seconds: send(server.url, timeout=seconds))


def test_the_deadline_cuts_sending_to_a_receiver_that_does_not_read(tls: ssl.SSLContext | None) -> None:
    with HostileServer(lambda peer: peer.hang(), tls=tls) as server:
        message = Message("evt_1", bytes(16 * 1024 * 1024))
        cut_while("sending the request", lambda seconds: send(server.url, timeout=seconds, message=message))


def test_what_came_before_the_deadline_is_kept() -> None:
    with HostileServer(sends_then_hangs(head(200, "Content-Length: 100", "X-Id: 7") + b"half of")) as server:
        answer = cut_while("reading the answer", lambda seconds: send(server.url, timeout=seconds))

    assert answer.response_body == "half of"
    assert answer.response_headers == {"Content-Length": "100", "X-Id": "7"}


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (300, "The receiver answered 300 Multiple Choices, which leaves a choice that Tidings cannot make."),
        (301, "The receiver answered 301 Moved Permanently; redirects are not followed."),
        (302, "The receiver answered 302 Found; redirects are not followed."),
        (303, "The receiver answered 303 See Other; redirects are not followed."),
        (
            304,
            "The receiver answered 304 Not Modified, which is no answer to a POST: nothing is asked that may have been "
            "modified.",
        ),
        (305, "The receiver answered 305 Use Proxy, which is not followed."),
        (306, "The receiver answered 306."),
        (307, "The receiver answered 307 Temporary Redirect; redirects are not followed."),
        (308, "The receiver answered 308 Permanent Redirect; redirects are not followed."),
        (399, "The receiver answered 399."),
    ],
)
def test_each_3xx_is_named_as_what_it_is_and_is_no_success(status: int, sentence: str) -> None:
    with HostileServer(answers(status, b"")) as server:
        answer = send(server.url)

    assert (answer.outcome, answer.status_code, answer.error) == (Outcome.HTTP_ERROR, status, sentence)
