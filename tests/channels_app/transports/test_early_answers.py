"""Receivers that answer before they have read the whole request, and those that read on after they have answered."""

import ssl
from collections.abc import Iterator

import pytest
import trustme

from channels_app.transports import Message, Outcome
from channels_app.transports.http import connection
from channels_app.transports.http.client import Client
from tests.channels_app.transports.sending import send
from tests.servers.hostile import Behaviour, HostileServer, Peer, head, server_context

# More than the system's buffers of both sides take together.
LARGE = bytes(16 * 1024 * 1024)
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(params=["tcp", "tls", "tls 1.2"])
def tls(request: pytest.FixtureRequest, ca: trustme.CA) -> Iterator[ssl.SSLContext | None]:
    context = server_context(ca, "127.0.0.1") if request.param != "tcp" else None
    if context and request.param == "tls 1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    yield context


def reads(peer: Peer, size: int) -> None:
    while size > 0:
        size -= len(peer.sock.recv(min(size, 65536)))


def answers_after(size: int, answer: bytes, *, reset: bool = False) -> Behaviour:
    """Reads so many bytes of a request, answers and closes, with all the rest unread."""

    def behaviour(peer: Peer) -> None:
        reads(peer, size)
        peer.send(answer)
        if reset:
            peer.reset()

    return behaviour


@pytest.mark.parametrize("size", [1, 20_000], ids=["the first byte", "some of the body"])
@pytest.mark.parametrize("body", [bytes(100_000), LARGE], ids=["100 kB", "16 MiB"])
@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        (head(200, "Content-Length: 2") + b"ok", "succeeded", 200),
        (head(202) + b"until it closes", "succeeded", 202),
        (head(200, CHUNKED) + b"2\r\nok\r\n0\r\n\r\n", "succeeded", 200),
        (head(100) + head(413, "Content-Length: 9", "Connection: close") + b"too large", "http_error", 413),
        (head(410, "Content-Length: 0"), "gone", 410),
        (head(503, "Content-Length: 0", "Retry-After: 7"), "http_error", 503),
    ],
)
def test_an_answer_to_a_part_of_the_request_counts(
    answer: bytes, outcome: str, status: int, body: bytes, size: int, tls: ssl.SSLContext | None
) -> None:
    with HostileServer(answers_after(size, answer), tls=tls) as server:
        told = send(server.url, message=Message("evt_1", body))

    assert (told.outcome, told.status_code) == (Outcome(outcome), status), told.error
    assert server.connections == 1


def test_an_answer_that_comes_with_a_reset_is_read_if_it_has_arrived(tls: ssl.SSLContext | None) -> None:
    """The system may have thrown it away, but what it has is read."""
    answer = head(413, "Content-Length: 0")
    with HostileServer(answers_after(1, answer, reset=True), tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE))

    assert (told.outcome, told.status_code) in {(Outcome.HTTP_ERROR, 413), (Outcome.CONNECTION_ERROR, None)}


@pytest.mark.parametrize("reset", [False, True])
def test_closed_within_the_request_without_an_answer(reset: bool, tls: ssl.SSLContext | None) -> None:
    with HostileServer(answers_after(1000, b"", reset=reset), tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE))

    assert (told.outcome, told.status_code) == (Outcome.CONNECTION_ERROR, None)
    assert told.error == f"127.0.0.1 port {server.port} closed the connection before it answered."


def test_an_answer_begun_within_the_request_and_broken_off(tls: ssl.SSLContext | None) -> None:
    with HostileServer(answers_after(1000, b"HTTP/1.1 200 OK\r\nContent-"), tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE))

    assert told.outcome == Outcome.PROTOCOL_ERROR


def test_a_receiver_that_says_no_and_reads_nothing_more_is_not_waited_for(tls: ssl.SSLContext | None) -> None:
    def behaviour(peer: Peer) -> None:
        reads(peer, 1)
        peer.send(head(413, "Content-Length: 0"))
        peer.hang()

    with HostileServer(behaviour, tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE), timeout=20)

    assert (told.outcome, told.status_code) == (Outcome.HTTP_ERROR, 413)


@pytest.mark.slow
def test_after_a_no_nothing_more_is_sent(tls: ssl.SSLContext | None) -> None:
    received: list[int] = []

    def behaviour(peer: Peer) -> None:
        reads(peer, 1)
        peer.send(head(413, "Content-Length: 2"))
        peer.sock.settimeout(1)
        try:
            while sum(received) < len(LARGE):
                received.append(len(peer.sock.recv(65536)))
        except TimeoutError:  # what was on its way has come
            peer.send(b"no")

    with HostileServer(behaviour, tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE), timeout=30)

    assert (told.outcome, told.status_code, told.response_body) == (Outcome.HTTP_ERROR, 413, "no")
    assert sum(received) < len(LARGE)


def test_a_receiver_that_says_yes_at_once_and_reads_on_gets_all_of_it(tls: ssl.SSLContext | None) -> None:
    client = Client()

    def behaviour(peer: Peer) -> None:
        first = peer.sock.recv(1)
        peer.send(head(202, "Content-Length: 2") + b"ok")
        received = first
        while b"\r\n\r\n" not in received:
            received += peer.sock.recv(65536)
        head_bytes, _, body = received.partition(b"\r\n\r\n")
        size = len(body)
        while size < len(LARGE):
            size += len(peer.sock.recv(min(2**20, len(LARGE) - size)))
        peer.server.requests.append((head_bytes, b""))
        while True:
            peer.read_request()
            peer.send(head(200, "Content-Length: 2") + b"ok")

    with HostileServer(behaviour, tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE), through=client, timeout=30)
        assert (told.outcome, told.status_code, told.response_body) == (Outcome.SUCCEEDED, 202, "ok")
        again = send(server.url, through=client)
        assert (again.outcome, again.connection.kept) == (Outcome.SUCCEEDED, True)
        assert (len(server.requests), server.connections) == (2, 1)


def test_a_receiver_that_says_yes_and_reads_no_more_costs_no_attempt(
    tls: ssl.SSLContext | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REST_SECONDS", 0.2)

    def behaviour(peer: Peer) -> None:
        reads(peer, 1)
        peer.send(head(200, "Content-Length: 2") + b"ok")
        peer.hang()

    with HostileServer(behaviour, tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE), timeout=20)

    assert (told.outcome, told.response_body) == (Outcome.SUCCEEDED, "ok")


def test_a_receiver_that_reads_only_while_its_answer_is_read(tls: ssl.SSLContext | None) -> None:
    """It sends back what it gets: with one side waiting for the other, nothing would ever end."""

    def behaviour(peer: Peer) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += peer.sock.recv(65536)
        body = received.partition(b"\r\n\r\n")[2]
        peer.send(head(200, f"Content-Length: {len(LARGE)}") + body)
        size = len(body)
        while size < len(LARGE) and (piece := peer.sock.recv(65536)):  # it may end with what we keep of the answer
            size += len(piece)
            peer.send(piece)

    with HostileServer(behaviour, tls=tls) as server:
        told = send(server.url, message=Message("evt_1", LARGE.replace(b"\0", b"x")), timeout=30)

    assert (told.outcome, told.response_body) == (Outcome.SUCCEEDED, "x" * 16384)


def test_a_large_request_is_sent_whole_to_a_receiver_that_reads_slowly(tls: ssl.SSLContext | None) -> None:
    body = bytes(range(256)) * 8192

    def behaviour(peer: Peer) -> None:
        peer.server.stopped.wait(0.1)
        peer.read_request()
        peer.send(head(200, "Content-Length: 2") + b"ok")

    with HostileServer(behaviour, tls=tls) as server:
        told = send(server.url, message=Message("evt_1", body), timeout=30)

    assert told.outcome == Outcome.SUCCEEDED, told.error
    assert server.requests[0][1] == body


def test_interim_answers_within_the_request_do_not_end_it(tls: ssl.SSLContext | None) -> None:
    def behaviour(peer: Peer) -> None:
        received = peer.sock.recv(1)
        peer.send(head(100) + head(102))
        while b"\r\n\r\n" not in received:
            received += peer.sock.recv(65536)
        size = len(received.partition(b"\r\n\r\n")[2])
        while size < len(LARGE):
            size += len(peer.sock.recv(min(2**20, len(LARGE) - size)))
        peer.send(head(200, "Content-Length: 2") + b"ok")

    with HostileServer(behaviour, tls=tls) as server:
        assert send(server.url, message=Message("evt_1", LARGE), timeout=30).outcome == Outcome.SUCCEEDED
