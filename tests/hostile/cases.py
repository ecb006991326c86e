"""What receivers do wrong, and what the contract says that comes of it: its table of outcomes, row by row."""

import gzip
from dataclasses import dataclass
from itertools import repeat

from channels_app.transports import Outcome
from tests.servers.hostile import (
    Behaviour,
    Peer,
    answers,
    before_tls,
    closes_at_once,
    drip_body,
    drips,
    drips_handshake,
    floods,
    hangs_after_accept,
    hangs_after_request,
    hangs_unread,
    head,
    redirects_to_itself,
    resets_at_once,
    sends,
    sends_then_drips,
    sends_then_hangs,
    sends_then_resets,
)

CHUNKED = "Transfer-Encoding: chunked"
BLOCK = b"x" * 65536
CUT_BODY = "x" * 16384
LAST_CHUNK = head(200, CHUNKED) + b"2\r\nok\r\n0\r\n"
# 62 KiB that become 60 MiB, and the same packed once more.
BOMB = gzip.compress(bytes(2**20)) * 60
BOMB_IN_BOMB = gzip.compress(BOMB)
COOKIES = ("Set-Cookie: session=hush; Path=/", "Set-Cookie: other=hush; Domain=127.0.0.1; Max-Age=9999")
METADATA = "Location: http://169.254.169.254/latest/meta-data/"
TWO = "Content-Length: 2"
MALFORMED = head(200, "X-Frame-Options : DENY", "no header", "Größe: 1", "X: \0\r", " folded", TWO) + b"ok"
TCP, TLS = "tcp", "tls"


@dataclass(frozen=True)
class Case:
    """A behaviour and what the log must say of the attempt.

    `behaviour` None: a port where nobody accepts. What ends by the deadline has the outcome `timeout`, and nothing else
    has. `body` is the text kept of the answer, where it is of interest. `certificate` names one of `running.contexts`.
    """

    name: str
    behaviour: Behaviour | None
    outcome: Outcome
    status: int | None = None
    over: tuple[str, ...] = (TCP, TLS)
    body: str | None = None
    certificate: str = "good"


def speaks_no_tls(data: bytes) -> Behaviour:
    @before_tls
    def behaviour(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.send(data)

    return behaviour


def answers_unread(peer: Peer) -> None:
    peer.sock.recv(1)
    peer.send(head(200, TWO) + b"ok")


HANGS = (
    Case("hangs before accept", None, Outcome.TIMEOUT),
    Case("hangs after accept", hangs_after_accept, Outcome.TIMEOUT),
    Case("hangs after the TLS handshake", hangs_unread, Outcome.TIMEOUT, over=(TLS,)),
    Case("hangs after the request", hangs_after_request, Outcome.TIMEOUT),
    Case("hangs in the status line", sends_then_hangs(b"HTTP/1.1 2"), Outcome.TIMEOUT),
    Case("hangs in the headers", sends_then_hangs(b"HTTP/1.1 200 OK\r\nA:"), Outcome.TIMEOUT),
    Case("hangs after 100", sends_then_hangs(head(100)), Outcome.TIMEOUT),
    Case("hangs after the headers", sends_then_hangs(head(200)), Outcome.TIMEOUT, 200, body=""),
    Case(
        "hangs in the body",
        sends_then_hangs(head(200, "Content-Length: 9") + b"half"),
        Outcome.TIMEOUT,
        200,
        body="half",
    ),
    Case("hangs in a chunk size", sends_then_hangs(head(200, CHUNKED) + b"5"), Outcome.TIMEOUT, 200, body=""),
    Case("hangs in a chunk", sends_then_hangs(head(503, CHUNKED) + b"5\r\nhel"), Outcome.TIMEOUT, 503, body="hel"),
    Case("hangs before the trailers", sends_then_hangs(LAST_CHUNK), Outcome.TIMEOUT, 200, body="ok"),
)
DRIPS = (
    Case("drips the TLS handshake", drips_handshake, Outcome.TIMEOUT, over=(TLS,)),
    Case("drips the status line", drips(b"HTTP/1.1 200 "), Outcome.TIMEOUT),
    Case("drips the headers", drips(b"HTTP/1.1 200 OK\r\nA: "), Outcome.TIMEOUT),
    Case("drips answers of 103", sends_then_drips(b"", repeat(head(103, "Link: </a>"))), Outcome.TIMEOUT),
    Case("drips a chunk size", sends_then_drips(head(200, CHUNKED), repeat(b"0")), Outcome.TIMEOUT, 200, body=""),
    Case("drips a chunk extension", sends_then_drips(head(200, CHUNKED) + b"5;", repeat(b"a")), Outcome.TIMEOUT, 200),
    Case("drips chunks", drip_body(200, CHUNKED), Outcome.TIMEOUT, 200),
    Case("drips a trailer", sends_then_drips(LAST_CHUNK, repeat(b"a")), Outcome.TIMEOUT, 200, body="ok"),
    Case("drips a 2xx body", drip_body(200), Outcome.TIMEOUT, 200),
    Case("drips a 2xx body of known length", drip_body(200, "Content-Length: 9999"), Outcome.TIMEOUT, 200),
    Case("drips a 500 body", drip_body(500), Outcome.TIMEOUT, 500),
    Case("drips a 410 body", drip_body(410), Outcome.TIMEOUT, 410),
)
ENDLESS = (
    Case("endless status line", floods(b"HTTP/1.1 ", BLOCK), Outcome.PROTOCOL_ERROR),
    Case("endless header", floods(b"HTTP/1.1 200 OK\r\nA: ", BLOCK), Outcome.PROTOCOL_ERROR),
    Case("endless headers", floods(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 99), Outcome.PROTOCOL_ERROR),
    Case("five thousand headers", sends(head(200, *["A: b"] * 5000)), Outcome.SUCCEEDED, 200),
    Case("headers above 64 KiB", sends(head(200, *["A: b"] * 12_000)), Outcome.PROTOCOL_ERROR),
    Case("flood of 100", floods(b"", head(100) * 99), Outcome.TIMEOUT),
    Case("flood of 103 with headers", floods(b"", head(103, *["Link: </a>"] * 9) * 9), Outcome.TIMEOUT),
    Case("endless body", floods(head(200), BLOCK), Outcome.SUCCEEDED, 200, body=CUT_BODY),
    Case(
        "a body of a terabyte",
        floods(head(200, f"Content-Length: {2**40}"), BLOCK),
        Outcome.SUCCEEDED,
        200,
        body=CUT_BODY,
    ),
    # Many at a time: this server takes its turns with all the others of the test.
    Case("endless chunks", floods(head(200, CHUNKED), (b"10\r\n" + b"x" * 16 + b"\r\n") * 64), Outcome.SUCCEEDED, 200),
    Case(
        "a chunk of a terabyte",
        floods(head(200, CHUNKED) + b"10000000000\r\n", BLOCK),
        Outcome.SUCCEEDED,
        200,
        body=CUT_BODY,
    ),
    Case("endless chunk size", floods(head(200, CHUNKED), b"0" * 65536), Outcome.PROTOCOL_ERROR, 200),
    Case("endless trailer", floods(LAST_CHUNK, BLOCK), Outcome.PROTOCOL_ERROR, 200, body="ok"),
    Case("endless trailers", floods(LAST_CHUNK, b"A: b\r\n" * 99), Outcome.TIMEOUT, 200, body="ok"),
    Case("endless 500", floods(head(500), BLOCK), Outcome.HTTP_ERROR, 500, body=CUT_BODY),
    Case("endless 302", floods(head(302, METADATA), BLOCK), Outcome.HTTP_ERROR, 302),
    Case("endless 410", floods(head(410), BLOCK), Outcome.GONE, 410),
    Case(
        "gzip bomb",
        answers(200, BOMB, "Content-Encoding: gzip"),
        Outcome.SUCCEEDED,
        200,
        body=f"[binary content, {len(BOMB)} bytes]",
    ),
    Case(
        "gzip bomb in a gzip bomb",
        answers(200, BOMB_IN_BOMB, "Content-Encoding: gzip, gzip"),
        Outcome.SUCCEEDED,
        200,
        body=f"[binary content, {len(BOMB_IN_BOMB)} bytes]",
    ),
    Case("endless gzip bomb", floods(head(200, "Content-Encoding: gzip"), BOMB), Outcome.SUCCEEDED, 200),
    Case("gzip bomb for a transfer encoding", answers(200, BOMB, "Transfer-Encoding: gzip"), Outcome.SUCCEEDED, 200),
)
ENDS_EARLY = (
    Case("closes at once", closes_at_once, Outcome.CONNECTION_ERROR),
    Case("resets at once", resets_at_once, Outcome.CONNECTION_ERROR),
    Case("closes before it answers", sends(), Outcome.CONNECTION_ERROR),
    Case("resets before it answers", sends_then_resets(b""), Outcome.CONNECTION_ERROR),
    Case("closes after a byte", sends(b"H"), Outcome.PROTOCOL_ERROR),
    Case("resets in the status line", sends_then_resets(b"HTTP/1.1 200"), Outcome.PROTOCOL_ERROR),
    Case("closes in the headers", sends(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Outcome.PROTOCOL_ERROR),
    Case("closes after 103", sends(head(103)), Outcome.PROTOCOL_ERROR),
    Case("closes in a 2xx body", sends(head(200, "Content-Length: 9") + b"ok"), Outcome.SUCCEEDED, 200, body="ok"),
    Case("resets in a 2xx body", sends_then_resets(head(200, "Content-Length: 9") + b"ok"), Outcome.SUCCEEDED, 200),
    Case("closes in a 2xx chunk", sends(head(200, CHUNKED) + b"5\r\nhel"), Outcome.SUCCEEDED, 200, body="hel"),
    Case("closes in a 500 body", sends(head(500, "Content-Length: 9") + b"no"), Outcome.PROTOCOL_ERROR, 500, body="no"),
    Case("resets in a 503 body", sends_then_resets(head(503, "Content-Length: 9")), Outcome.PROTOCOL_ERROR, 503),
)
NONSENSE = (
    Case("garbage", sends(bytes(range(256)) * 4), Outcome.PROTOCOL_ERROR),
    Case("garbage of zeros", sends(bytes(4096)), Outcome.PROTOCOL_ERROR),
    Case("garbage in place of TLS", speaks_no_tls(bytes(range(32, 128))), Outcome.CONNECTION_ERROR, over=(TLS,)),
    Case("HTTP in place of TLS", speaks_no_tls(head(200)), Outcome.CONNECTION_ERROR, over=(TLS,)),
    Case("another protocol", sends(b"SSH-2.0-OpenSSH_9.9\r\n"), Outcome.PROTOCOL_ERROR),
    Case("a body alone", sends(b'{"ok": true}\n'), Outcome.PROTOCOL_ERROR),
    Case("garbage for a chunk size", sends(head(200, CHUNKED) + b"zz\r\nhello\r\n"), Outcome.PROTOCOL_ERROR, 200),
    Case("longer than said", sends(head(200, "Content-Length: 2") + b"ok and more"), Outcome.SUCCEEDED, 200, body="ok"),
    Case("two lengths", sends(head(200, "Content-Length: 2", "Content-Length: 3") + b"ok"), Outcome.PROTOCOL_ERROR),
    Case("a length below zero", sends(head(200, "Content-Length: -2") + b"ok"), Outcome.SUCCEEDED, 200, body="ok"),
    Case("a length in words", sends(head(200, "Content-Length: two") + b"ok"), Outcome.SUCCEEDED, 200, body="ok"),
    Case(
        "a length beside chunks",
        sends(head(200, CHUNKED, "Content-Length: 999") + b"2\r\nok\r\n0\r\n\r\n"),
        Outcome.SUCCEEDED,
        200,
        body="ok",
    ),
    Case(
        "two answers at once",
        sends(head(200, "Content-Length: 2") + b"ok" + head(500, "Content-Length: 2") + b"no"),
        Outcome.SUCCEEDED,
        200,
        body="ok",
    ),
    Case("204 with a body", sends(head(204, "Content-Length: 2") + b"ok"), Outcome.SUCCEEDED, 204, body=""),
    Case("malformed header lines", sends_then_hangs(MALFORMED), Outcome.SUCCEEDED, 200, body="ok"),
    Case("malformed length", sends_then_hangs(head(503, "Content-Length : 2") + b"no"), Outcome.HTTP_ERROR, 503),
    Case(
        "lines that end in LF", sends_then_hangs(MALFORMED.replace(b"\r\n", b"\n")), Outcome.SUCCEEDED, 200, body="ok"
    ),
    Case("two equal lengths", sends_then_hangs(head(200, TWO, TWO) + b"ok"), Outcome.SUCCEEDED, 200, body="ok"),
    Case("answers before the request is read", answers_unread, Outcome.SUCCEEDED, 200, body="ok"),
    Case("304 with a body", sends(head(304, "Content-Length: 2") + b"ok"), Outcome.HTTP_ERROR, 304, body=""),
    Case("redirects to itself", redirects_to_itself, Outcome.HTTP_ERROR, 307),
    Case("redirects to metadata", answers(302, b"", METADATA), Outcome.HTTP_ERROR, 302),
    Case("redirects to a file", answers(301, b"", "Location: file:///etc/passwd"), Outcome.HTTP_ERROR, 301),
    Case("redirects nowhere", answers(308, b"", "Location: ://"), Outcome.HTTP_ERROR, 308),
    Case("sets cookies", answers(200, b"ok", *COOKIES), Outcome.SUCCEEDED, 200, body="ok"),
    Case("asks for hours of patience", answers(503, b"", "Retry-After: 99999999"), Outcome.HTTP_ERROR, 503),
    Case("asks for credentials", answers(401, b"", 'WWW-Authenticate: Basic realm="x"'), Outcome.HTTP_ERROR, 401),
    Case("switches protocols", sends(head(101, "Upgrade: h2c")), Outcome.HTTP_ERROR, 101),
)
CERTIFICATES = (
    *(
        Case(f"a certificate {which}", answers(), Outcome.CONNECTION_ERROR, over=(TLS,), certificate=which)
        for which in (
            *("expired", "not yet valid", "self-signed", "of an unknown authority", "for another name"),
            "without its intermediate",
        )
    ),
    Case("demands a certificate", answers(), Outcome.CONNECTION_ERROR, over=(TLS,), certificate="for each other"),
)
# What floods takes the processor for itself: it runs apart from what must show exact times.
WAVES = ((*HANGS, *DRIPS, *ENDS_EARLY, *NONSENSE, *CERTIFICATES), ENDLESS)
