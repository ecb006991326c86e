"""A connection is kept for the next exchange, and costs none should it turn out to be closed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme
from structlog.testing import capture_logs

from channels_app.transports import Outcome
from channels_app.transports.http import connection, pool
from channels_app.transports.http.client import Client
from tests.channels_app.transports.sending import BODY, send
from tests.servers.hostile import Behaviour, HostileServer, Peer, head, server_context
from tests.waiting import wait_until

OK = head(200, "Content-Length: 2") + b"ok"


@pytest.fixture
def client() -> Client:
    return Client()


def answers_each(*answers: bytes) -> Behaviour:
    """Answers one request after the other over each connection with these in turn, the last for ever."""

    def behaviour(peer: Peer) -> None:
        count = 0
        while True:
            peer.read_request()
            peer.send(answers[min(count, len(answers) - 1)])
            count += 1

    return behaviour


def by_connection(*behaviours: Behaviour) -> Behaviour:
    """The first connection is served by the first of these, and so on; the last serves all that follow."""
    served = iter(range(10**6))

    def behaviour(peer: Peer) -> None:
        behaviours[min(next(served), len(behaviours) - 1)](peer)

    return behaviour


def then(*steps: Behaviour) -> Behaviour:
    def behaviour(peer: Peer) -> None:
        for step in steps:
            step(peer)

    return behaviour


def answers_one(peer: Peer) -> None:
    peer.read_request()
    peer.send(OK)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_one_connection_serves_many_exchanges(client, ca: trustme.CA, tls: bool) -> None:
    context = server_context(ca, "127.0.0.1") if tls else None
    with HostileServer(answers_each(OK), tls=context) as server:
        for _ in range(5):
            answer = send(server.url, through=client)
            assert (answer.outcome, answer.response_body) == (Outcome.SUCCEEDED, "ok")
        assert (server.connections, len(server.requests)) == (1, 5)
    assert {body for _, body in server.requests} == {BODY}


def test_exchanges_at_the_same_time_have_connections_of_their_own(client) -> None:
    together = threading.Barrier(4)

    def wait_for_the_others(peer: Peer) -> None:
        while True:
            peer.read_request()
            together.wait(20)
            peer.send(OK)

    with HostileServer(wait_for_the_others) as server, ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            answers = list(pool.map(lambda _: send(server.url, through=client), range(4)))
            assert [answer.outcome for answer in answers] == [Outcome.SUCCEEDED] * 4
        assert server.connections == 4


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(
            head(200, "Content-Length: 2", "Connection: close") + b"ok", id="the receiver says that it closes"
        ),
        pytest.param(head(200, "Content-Length: 99") + b"cut", id="an answer that breaks off"),
        pytest.param(OK + b"HTTP/1.1 500 Nonsense\r\n\r\n", id="two answers at once"),
        pytest.param(head(200, "Content-Length: 70000") + b"x" * 70000, id="an answer that is read in part"),
    ],
)
def test_a_connection_that_is_not_at_the_end_of_an_answer_is_not_kept(client, first: bytes) -> None:
    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(first)

    with HostileServer(by_connection(behaviour, answers_each(OK))) as server:
        assert send(server.url, through=client).outcome == Outcome.SUCCEEDED
        answer = send(server.url, through=client)
        assert (answer.outcome, answer.status_code, answer.response_body) == (Outcome.SUCCEEDED, 200, "ok")
        assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize(
    ("status", "late"), [(204, b"ok\n"), (304, b"ok\n"), (200, b"\r\n"), (200, b"\r\n\r\n"), (200, b"more\n")]
)
def test_what_comes_a_moment_after_an_answer_fails_no_delivery(client, status: int, late: bytes) -> None:
    """It comes when the next request is under way, and is taken for the beginning of its answer."""

    def behaviour(peer: Peer) -> None:
        first = True
        while True:
            peer.read_request()
            peer.send(b"" if first else late)
            peer.send(head(status, *["Content-Length: 2"] * (status == 200)) + b"ok" * (status == 200))
            first = False

    with HostileServer(behaviour) as server:
        answers = [send(server.url, through=client) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {status}
    assert {answer.outcome for answer in answers} == {Outcome.HTTP_ERROR if status == 304 else Outcome.SUCCEEDED}


def test_what_lies_ready_inside_tls_begins_no_other_answer(client, ca: trustme.CA) -> None:
    """The answer is larger than what is read at once, and longer than it says."""
    answer = head(200, "Content-Length: 9000") + b"x" * 9000
    stray = head(200, "Content-Length: 5") + b"stray"
    with HostileServer(answers_each(answer + stray), tls=server_context(ca, "127.0.0.1")) as server:
        for _ in range(4):
            told = send(server.url, through=client)
            assert (told.outcome, told.response_body) == (Outcome.SUCCEEDED, "x" * 9000)
        assert server.connections == 4


def test_a_receiver_that_speaks_no_http_is_asked_once_more_and_no_oftener(client) -> None:
    def babbles(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"SSH-2.0-OpenSSH_9.9\r\n")
        peer.hang()

    with HostileServer(by_connection(then(answers_one, babbles), babbles)) as server:
        send(server.url, through=client)
        answer = send(server.url, through=client)
        assert (answer.outcome, answer.connection.sent_again) == (Outcome.PROTOCOL_ERROR, True)
        assert (server.connections, len(server.requests)) == (2, 3)


def test_a_connection_that_the_receiver_has_closed_meanwhile_is_opened_anew(client) -> None:
    closed = threading.Event()

    def closes_after_one(peer: Peer) -> None:
        answers_one(peer)
        closed.set()

    with HostileServer(by_connection(closes_after_one, answers_each(OK))) as server:
        send(server.url, through=client)
        assert closed.wait(10)
        assert send(server.url, through=client).outcome == Outcome.SUCCEEDED
        assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_closed_just_when_the_request_comes_it_is_sent_again_at_once_and_the_log_says_so(
    client, ca: trustme.CA, tls: bool, reset: bool
) -> None:
    def takes_the_second_and_closes(peer: Peer) -> None:
        answers_one(peer)
        peer.read_request()
        if reset:
            peer.reset()

    context = server_context(ca, "127.0.0.1") if tls else None
    with HostileServer(by_connection(takes_the_second_and_closes, answers_each(OK)), tls=context) as server:
        send(server.url, through=client)
        with capture_logs() as logged:
            answer = send(server.url, through=client)
        assert (answer.outcome, answer.error) == (Outcome.SUCCEEDED, "")
        assert [line["event"] for line in logged] == ["connection_was_stale"]
        assert (server.connections, len(server.requests)) == (2, 3)
    assert server.requests[1] == server.requests[2]


def test_it_is_sent_again_once_only(client) -> None:
    def takes_one_and_closes(peer: Peer) -> None:
        peer.read_request()

    with HostileServer(by_connection(then(answers_one, takes_one_and_closes), takes_one_and_closes)) as server:
        send(server.url, through=client)
        answer = send(server.url, through=client)
        assert answer.outcome == Outcome.CONNECTION_ERROR
        assert (server.connections, len(server.requests)) == (2, 3)


def test_one_byte_of_an_answer_and_it_is_not_sent_again(client) -> None:
    def begins_and_closes(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"H")

    with HostileServer(by_connection(then(answers_one, begins_and_closes), answers_each(OK))) as server:
        send(server.url, through=client)
        answer = send(server.url, through=client)
        assert answer.outcome == Outcome.PROTOCOL_ERROR
        assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_silent_one_is_a_timeout_and_not_sent_again(client, ca: trustme.CA, tls: bool) -> None:
    def hangs(peer: Peer) -> None:
        peer.read_request()
        peer.hang()

    context = server_context(ca, "127.0.0.1") if tls else None
    with HostileServer(by_connection(then(answers_one, hangs), answers_each(OK)), tls=context) as server:
        send(server.url, through=client)
        answer = send(server.url, through=client, timeout=0.5)
        assert (answer.outcome, answer.status_code) == (Outcome.TIMEOUT, None)
        assert (server.connections, len(server.requests)) == (1, 2)


def test_a_dripping_one_is_cut_at_its_own_deadline(client) -> None:
    def drips(peer: Peer) -> None:
        peer.read_request()
        peer.drip(bytes([byte]) for byte in head(200, "X-Long: " + "a" * 2000))

    with HostileServer(then(answers_one, drips)) as server:
        send(server.url, through=client)
        assert send(server.url, through=client, timeout=0.5).outcome == Outcome.TIMEOUT


@pytest.mark.parametrize("limit", ["IDLE_SECONDS", "LONGEST_USE_SECONDS"])
def test_none_is_used_that_was_idle_for_long_or_is_old(client, monkeypatch, limit: str) -> None:
    with HostileServer(answers_each(OK)) as server:
        send(server.url, through=client)
        monkeypatch.setattr(connection, limit, 0.0)
        send(server.url, through=client)
        assert (server.connections, len(server.requests)) == (2, 2)


def test_each_exchange_has_its_own_count_of_head_bytes(client) -> None:
    """Otherwise the heads of many answers would add up to one that is too large."""
    answer = head(200, "Content-Length: 2", *[f"X-{number}: {'a' * 1000}" for number in range(40)]) + b"ok"
    with HostileServer(answers_each(answer)) as server:
        for _ in range(4):
            assert send(server.url, through=client).outcome == Outcome.SUCCEEDED
        assert server.connections == 1


def test_no_more_than_a_few_are_kept_of_a_receiver(client) -> None:
    together = threading.Barrier(12)
    ended: list[Peer] = []

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        together.wait(20)
        peer.send(OK)
        if not peer.sock.recv(1):
            ended.append(peer)

    with HostileServer(behaviour) as server:
        with ThreadPoolExecutor(12) as threads:
            list(threads.map(lambda _: send(server.url, through=client), range(12)))
        wait_until(lambda: len(ended) == 12 - pool.KEPT_PER_CHANNEL)
        assert server.connections == 12
