"""Name lookup, the address guard, and the way to the receiver."""

import ipaddress
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from django.test import override_settings

from channels_app.transports import Outcome
from channels_app.transports.net.deadline import DeadlineSocket
from channels_app.transports.net.lookup import Lookups
from tests.channels_app.transports.sending import resolver, send
from tests.servers.hostile import (
    HostileServer,
    answers,
    refusing_port,
    resets_at_once,
    server_context,
    unaccepting_port,
)

NAME = "receiver.example"


@pytest.fixture
def unanswered() -> Iterator[threading.Event]:
    """Set at the end of the test, to release what hangs on it."""
    event = threading.Event()
    yield event
    event.set()


def knows_nothing(code: int) -> Any:
    def getaddrinfo(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(code, "as the system says")

    return Lookups(getaddrinfo=getaddrinfo)


@pytest.mark.parametrize("address", ["10.0.0.5", "169.254.169.254", "[::ffff:127.0.0.1]", "[fe80::1]"])
def test_an_address_that_is_not_public_is_blocked(address: str) -> None:
    answer = send(f"http://{address}/")

    assert answer.outcome == Outcome.BLOCKED
    assert answer.error.startswith(f"The address {ipaddress.ip_address(address.strip('[]'))} is not public (")
    assert answer.error.endswith("); an operator can allow it with POSTBACK_ALLOWED_NETWORKS.")


def test_nothing_is_let_through_by_default() -> None:
    with HostileServer(answers()) as server, override_settings(POSTBACK_ALLOWED_NETWORKS=[]):
        answer = send(server.url)
        named = send(server.url_for("localhost"))

    assert answer.outcome == named.outcome == Outcome.BLOCKED
    assert answer.error.startswith("The address 127.0.0.1 is not public (loopback); ")
    assert " of localhost is not public (loopback); " in named.error
    assert server.connections == 0


def test_a_name_that_leads_only_to_refused_addresses_is_blocked() -> None:
    answer = send(f"http://{NAME}/", resolve=resolver(["10.0.0.5", "fd12::1"]))

    assert answer.outcome == Outcome.BLOCKED
    assert answer.error == (
        f"The address 10.0.0.5 of {NAME} is not public (private network); "
        "an operator can allow it with POSTBACK_ALLOWED_NETWORKS."
    )


@override_settings(POSTBACK_ALLOWED_NETWORKS=[ipaddress.ip_network("127.0.0.1/32")])
def test_of_a_names_addresses_only_the_permitted_ones_are_called() -> None:
    with HostileServer(answers()) as good, HostileServer(answers(), host="127.0.0.2", port=good.port) as bad:
        answer = send(good.url_for(NAME), resolve=resolver(["127.0.0.2", "127.0.0.1"]))

    assert answer.outcome == Outcome.SUCCEEDED
    assert (good.connections, bad.connections) == (1, 0)


@override_settings(POSTBACK_ALLOWED_NETWORKS=[ipaddress.ip_network("127.0.0.1/32")])
def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    names = resolver(["127.0.0.1"], ["127.0.0.2"])
    with HostileServer(answers()) as good, HostileServer(answers(), host="127.0.0.2", port=good.port) as bad:
        first = send(good.url_for(NAME), resolve=names)
        assert names.asked == [NAME]  # not asked again between the check and the connection
        second = send(good.url_for(NAME), resolve=names)

    assert first.outcome == Outcome.SUCCEEDED
    assert second.outcome == Outcome.BLOCKED
    assert (good.connections, bad.connections) == (1, 0)


def has_ipv6_loopback() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback address")
def test_an_ipv6_address_in_the_url(ca: trustme.CA) -> None:
    with HostileServer(answers(), host="::1", tls=server_context(ca, "::1")) as server:
        answer = send(server.url)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert answer.request_headers["Host"] == f"[::1]:{server.port}"


def test_an_address_where_nothing_listens_is_followed_by_the_next() -> None:
    with HostileServer(answers()) as server:
        answer = send(server.url_for(NAME), resolve=resolver(["::1", "127.0.0.9", "127.0.0.1"]))

    assert answer.outcome == Outcome.SUCCEEDED
    assert answer.request_headers["Host"] == f"{NAME}:{server.port}"


def test_a_silent_address_leaves_time_for_the_next() -> None:
    with unaccepting_port() as port, HostileServer(answers(), host="127.0.0.2", port=port) as server:
        answer = send(server.url_for(NAME), resolve=resolver(["127.0.0.1", "127.0.0.2"]), connect_seconds=1.0)

    assert answer.outcome == Outcome.SUCCEEDED


def test_nothing_listens() -> None:
    with refusing_port() as port:
        answer = send(f"http://127.0.0.1:{port}/")

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"Nothing listens on 127.0.0.1 port {port}."


@pytest.mark.parametrize("comes", ["before its error is asked for", "between that and its address"])
def test_a_connection_that_is_reset_while_it_is_looked_at(comes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    def getsockopt(sock: DeadlineSocket, *what: int) -> Any:
        nonlocal looked_at
        looked_at += 1
        poll = select.poll()
        poll.register(sock, 0)  # an error and the end are always told
        if looked_at > 2:
            return socket.socket.getsockopt(sock, *what)
        if comes == "before its error is asked for":
            assert poll.poll(10_000)
        code = socket.socket.getsockopt(sock, *what)
        assert poll.poll(10_000)
        return code

    monkeypatch.setattr(DeadlineSocket, "getsockopt", getsockopt)
    with HostileServer(resets_at_once) as server, HostileServer(answers(), host="127.0.0.2", port=server.port) as other:
        alone = send(server.url)
        followed = send(server.url_for(NAME), resolve=resolver(["127.0.0.1", "127.0.0.2"]))

    assert alone.outcome == Outcome.CONNECTION_ERROR
    assert alone.error == f"127.0.0.1 port {server.port} closed the connection before it answered."
    assert (followed.outcome, other.connections) == (Outcome.SUCCEEDED, 1)


def test_a_connection_has_its_own_limit_within_the_deadline() -> None:
    with unaccepting_port() as port:
        limited = send(f"http://127.0.0.1:{port}/", connect_seconds=0.4)
        over = send(f"http://127.0.0.1:{port}/", timeout=0.4)

    assert limited.outcome == Outcome.CONNECTION_ERROR
    assert limited.error == f"127.0.0.1 port {port} did not accept a connection in time."
    assert over.outcome == Outcome.TIMEOUT
    assert over.error == "The 0.4 s for one attempt were over while connecting."


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (socket.EAI_NONAME, f"No name server knows {NAME}."),
        (socket.EAI_NODATA, f"No name server knows {NAME}."),
        (socket.EAI_AGAIN, f"The name {NAME} could not be looked up: as the system says."),
    ],
)
def test_a_name_that_does_not_resolve(code: int, sentence: str) -> None:
    answer = send(f"http://{NAME}/", resolve=knows_nothing(code))

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, sentence)


def test_a_lookup_has_its_own_limit_within_the_deadline(unanswered: threading.Event) -> None:
    silent = Lookups(getaddrinfo=lambda *_, **__: [unanswered.wait()])
    limited = send(f"http://{NAME}/", resolve=silent, lookup_seconds=0.4)
    over = send(f"http://{NAME}/", resolve=silent, timeout=0.4)

    assert limited.outcome == Outcome.CONNECTION_ERROR
    assert limited.error == f"No name server answered for {NAME} in time."
    assert over.outcome == Outcome.TIMEOUT
    assert over.error == "The 0.4 s for one attempt were over while looking up the name."


def test_lookups_end_by_their_limit_though_every_thread_hangs(unanswered: threading.Event) -> None:
    begun: list[str] = []

    def hang(host: str, port: int, **_: object) -> list[Any]:
        begun.append(host)
        unanswered.wait()
        return [(0, 0, 0, "", ("192.0.2.1", port))]

    lookups = Lookups(threads=2, getaddrinfo=hang)
    for host in ("a.example", "a.example", "b.example", "c.example"):
        with pytest.raises(TimeoutError):
            lookups(host, 80, 0.1)
    assert begun == ["a.example", "b.example"]  # one thread a name, two threads in all

    unanswered.set()
    assert lookups("d.example", 80, 10) == ["192.0.2.1"]  # and they come back
    assert begun == ["a.example", "b.example", "c.example", "d.example"]


def test_a_lookup_gives_each_address_once_in_the_systems_order() -> None:
    found = [(0, 0, 0, "", (address, 80)) for address in ("2001:db8::1", "192.0.2.1", "2001:db8::1", "192.0.2.2")]

    assert Lookups(getaddrinfo=lambda *_, **__: found)(NAME, 80, 10) == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]


def test_the_system_is_asked_by_default() -> None:
    assert Lookups()("127.0.0.1", 80, 10) == ["127.0.0.1"]
    with HostileServer(answers()) as server:
        assert send(server.url_for("localhost")).outcome == Outcome.SUCCEEDED
