"""What an attempt tells of the way to its receiver."""

import threading

import trustme

from channels_app.transports import Outcome
from channels_app.transports.http.client import Client
from tests.channels_app.transports.sending import resolver, send
from tests.servers.hostile import HostileServer, Peer, head, server_context, unaccepting_port

OK = head(200, "Content-Length: 2") + b"ok"
PAUSE_SECONDS = 0.2


def answers_after_a_while(peer: Peer) -> None:
    while True:
        peer.read_request()
        peer.server.stopped.wait(PAUSE_SECONDS)
        peer.send(OK)


def test_each_phase_is_timed_and_the_address_is_the_one_connected_to(ca: trustme.CA) -> None:
    asked = threading.Event()

    def resolve(host: str, port: int, limit: float) -> list[str]:
        asked.wait(PAUSE_SECONDS)
        return ["127.0.0.1"]

    with HostileServer(answers_after_a_while, tls=server_context(ca, "shop.example.com")) as server:
        way = send(server.url_for("shop.example.com"), resolve=resolve).connection

    assert (way.address, way.kept, way.sent_again) == ("127.0.0.1", False, False)
    assert way.lookup_ms is not None
    assert way.first_byte_ms is not None
    assert way.lookup_ms >= 1000 * PAUSE_SECONDS
    assert way.first_byte_ms >= 1000 * PAUSE_SECONDS
    assert way.connect_ms is not None
    assert way.tls_ms is not None
    assert way.connect_ms < way.lookup_ms


def test_plain_http_has_no_tls() -> None:
    with HostileServer(answers_after_a_while) as server:
        way = send(server.url).connection
    assert (way.address, way.tls_ms) == ("127.0.0.1", None)
    assert way.connect_ms is not None


def test_a_kept_connection_has_an_address_and_no_phases_but_the_first_byte() -> None:
    client = Client()
    with HostileServer(answers_after_a_while) as server:
        send(server.url, through=client)
        way = send(server.url, through=client).connection
    assert (way.address, way.kept, way.sent_again) == ("127.0.0.1", True, False)
    assert (way.lookup_ms, way.connect_ms, way.tls_ms) == (None, None, None)
    assert way.first_byte_ms is not None
    assert way.first_byte_ms >= 1000 * PAUSE_SECONDS


def test_a_request_that_was_sent_again_says_so() -> None:
    client, first = Client(), iter([True])

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        if next(first, False):
            peer.read_request()
        else:
            peer.read_request()
            peer.send(OK)

    with HostileServer(behaviour) as server:
        send(server.url, through=client)
        answer = send(server.url, through=client)
    way = answer.connection
    assert (answer.outcome, way.kept, way.sent_again) == (Outcome.SUCCEEDED, False, True)
    assert way.connect_ms is not None


def test_of_several_addresses_the_one_that_answered_is_told() -> None:
    with HostileServer(answers_after_a_while) as server:
        way = send(f"http://two.example.com:{server.port}/", resolve=resolver(["127.0.0.2", "127.0.0.1"])).connection
    assert way.address == "127.0.0.1"


def test_a_connection_that_was_refused_tells_where() -> None:
    with HostileServer(answers_after_a_while) as server:
        port = server.port
    answer = send(f"http://127.0.0.1:{port}/")
    assert (answer.outcome, answer.connection.address) == (Outcome.CONNECTION_ERROR, "127.0.0.1")
    assert answer.connection.first_byte_ms is None


def test_what_was_cut_tells_how_far_it_came() -> None:
    with unaccepting_port() as port:
        answer = send(f"http://127.0.0.1:{port}/", timeout=0.3)
    assert answer.outcome == Outcome.TIMEOUT
    assert answer.connection.connect_ms is not None
    assert answer.connection.connect_ms >= 250
    assert answer.connection.first_byte_ms is None


def test_a_blocked_address_was_never_connected_to() -> None:
    answer = send("http://inside.example.com/", resolve=resolver(["10.0.0.5"]))
    assert (answer.outcome, answer.connection.address) == (Outcome.BLOCKED, "")
    assert answer.connection.connect_ms is None
