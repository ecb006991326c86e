"""A name server that answers with a public address first and a private one second gains nothing."""

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from ssl import SSLContext
from typing import Any

import pytest
import trustme
from django.test import override_settings

from channels_app.transports import Outcome
from channels_app.transports.http import connection
from channels_app.transports.http.client import Client
from channels_app.transports.net.lookup import Lookups
from tests.channels_app.transports.sending import send
from tests.hostile.names import NameServer
from tests.servers.hostile import Behaviour, HostileServer, Peer, answers, head, server_context

NAME, PUBLIC = "receiver.example", "93.184.216.34"
PRIVATE = {
    "127.0.0.1": "loopback",
    "10.0.0.5": "private network",
    "169.254.169.254": "cloud metadata",
    "0.0.0.0": "this host",
}
OK = head(200, "Content-Length: 2") + b"ok"
closes = answers(200, b"ok", "Connection: close")


def keeps(peer: Peer) -> None:
    """Answers one request after the other over the same connection."""
    while True:
        peer.read_request()
        peer.send(OK)


def takes_the_second_and_closes(peer: Peer) -> None:
    peer.read_request()
    peer.send(OK)
    peer.read_request()


class Scene:
    """A receiver at the public address, and a trap at the same port of loopback, the private one."""

    def __init__(self, network: Any, receiver: HostileServer, trap: HostileServer, names: NameServer) -> None:
        self.network, self.receiver, self.trap, self.names = network, receiver, trap, names
        self.url = receiver.url_for(NAME)
        self.there = (PUBLIC, receiver.port)
        self._client = Client(resolve=Lookups(getaddrinfo=names.getaddrinfo))

    def send(self) -> Any:
        return send(self.url, through=self._client, now=datetime.now(UTC))


@contextmanager
def at_one_port(behaviour: Behaviour, context: SSLContext | None) -> Iterator[tuple[HostileServer, HostileServer]]:
    """A receiver at 127.0.0.2 and a trap at 127.0.0.1, where another process may have the receiver's port."""
    for _ in range(20):
        with HostileServer(behaviour, tls=context, host="127.0.0.2") as receiver, ExitStack() as stack:
            try:
                trap = stack.enter_context(HostileServer(answers(), tls=context, port=receiver.port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            yield receiver, trap
            return
    pytest.fail("found no port that is free at both addresses")


@pytest.fixture
def scene(network: Any, ca: trustme.CA) -> Iterator[Any]:
    """`scene(behaviour, answers of the name server...)`."""
    with ExitStack() as stack, override_settings(POSTBACK_ALLOWED_NETWORKS=[]):

        def set_up(behaviour: Behaviour, *found: list[str], tls: bool = False, owner: str = NAME) -> Scene:
            context = server_context(ca, owner) if tls else None
            receiver, trap = stack.enter_context(at_one_port(behaviour, context))
            network.roads[PUBLIC] = "127.0.0.2"
            return Scene(network, receiver, trap, stack.enter_context(NameServer(*found)))

        yield set_up


both = pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])


def blocked(address: str, name: str = NAME) -> tuple[Outcome, str]:
    return Outcome.BLOCKED, (
        f"The address {address} of {name} is not public ({PRIVATE[address]}); "
        "an operator can allow it with POSTBACK_ALLOWED_NETWORKS."
    )


@both
def test_within_an_attempt_the_address_that_was_checked_is_the_one_called(scene: Any, tls: bool) -> None:
    here = scene(closes, [PUBLIC], ["127.0.0.1"], tls=tls)
    answer = here.send()

    assert (answer.outcome, answer.response_body) == (Outcome.SUCCEEDED, "ok"), answer.error
    assert here.names.asked == [NAME]
    assert here.network.dialled == [here.there]
    assert (here.receiver.connections, here.trap.connections) == (1, 0)


@both
@pytest.mark.parametrize("address", PRIVATE)
def test_at_the_next_attempt_the_private_answer_is_blocked(scene: Any, address: str, tls: bool) -> None:
    here = scene(closes, [PUBLIC], [address], tls=tls)
    first, second = here.send(), here.send()

    assert first.outcome == Outcome.SUCCEEDED, first.error
    assert (second.outcome, second.error) == blocked(address)
    assert here.names.asked == [NAME, NAME]
    assert here.network.dialled == [here.there]
    assert (len(here.receiver.requests), here.trap.connections) == (1, 0)


def test_a_private_answer_is_not_followed_by_another_question(scene: Any) -> None:
    here = scene(closes, ["127.0.0.1"], [PUBLIC])
    first = here.send()

    assert (first.outcome, first.error) == blocked("127.0.0.1")
    assert (here.names.asked, here.network.dialled) == ([NAME], [])
    assert here.send().outcome == Outcome.SUCCEEDED
    assert here.trap.connections == 0


def test_of_a_public_and_private_addresses_only_the_public_one_is_called(scene: Any) -> None:
    here = scene(closes, ["127.0.0.1", PUBLIC, "10.0.0.5"])

    assert here.send().outcome == Outcome.SUCCEEDED
    assert here.network.dialled == [here.there]
    assert here.trap.connections == 0


def test_a_public_address_that_refuses_is_not_followed_by_a_private_one(scene: Any) -> None:
    here = scene(closes, [PUBLIC, "127.0.0.1", "10.0.0.5"])
    here.network.roads.clear()
    answer = here.send()

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert here.network.dialled == [here.there]
    assert here.trap.connections == 0


@both
def test_a_kept_connection_stays_with_the_address_that_was_checked(scene: Any, tls: bool) -> None:
    here = scene(keeps, [PUBLIC], ["127.0.0.1"], tls=tls)
    outcomes = [here.send().outcome for _ in range(3)]

    assert outcomes == [Outcome.SUCCEEDED] * 3
    assert (here.names.asked, here.network.dialled) == ([NAME], [here.there])
    assert (here.receiver.connections, len(here.receiver.requests), here.trap.connections) == (1, 3, 0)


@pytest.mark.parametrize("limit", ["IDLE_SECONDS", "LONGEST_USE_SECONDS"])
def test_after_a_kept_connection_has_had_its_time_the_name_is_looked_up_and_checked_again(
    scene: Any, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scene(keeps, [PUBLIC], ["127.0.0.1"])
    here.send()
    monkeypatch.setattr(connection, limit, 0.0)
    second = here.send()

    assert (second.outcome, second.error) == blocked("127.0.0.1")
    assert here.names.asked == [NAME, NAME]
    assert here.network.dialled == [here.there]
    assert (len(here.receiver.requests), here.trap.connections) == (1, 0)


@both
def test_in_place_of_a_kept_connection_that_was_closed_none_is_opened_to_a_private_address(
    scene: Any, tls: bool
) -> None:
    here = scene(takes_the_second_and_closes, [PUBLIC], ["127.0.0.1"], tls=tls)
    here.send()
    second = here.send()

    assert (second.outcome, second.error) == blocked("127.0.0.1")
    assert here.names.asked == [NAME, NAME]
    assert here.network.dialled == [here.there]
    assert (len(here.receiver.requests), here.trap.connections) == (2, 0)


def test_a_kept_connection_serves_no_other_name(scene: Any) -> None:
    here = scene(keeps, [PUBLIC], ["127.0.0.1"])
    here.send()
    here.url = here.receiver.url_for("other.example")
    second = here.send()

    assert (second.outcome, second.error) == blocked("127.0.0.1", "other.example")
    assert here.names.asked == [NAME, "other.example"]
    assert (len(here.receiver.requests), here.trap.connections) == (1, 0)


def test_a_name_that_is_gone_at_the_next_attempt_is_a_connection_error(scene: Any) -> None:
    here = scene(closes, [PUBLIC], [])
    here.send()
    second = here.send()

    assert (second.outcome, second.error) == (Outcome.CONNECTION_ERROR, f"No name server knows {NAME}.")


def test_a_second_look_at_a_certificate_for_somebody_else_is_not_led_to_a_private_address(scene: Any) -> None:
    here = scene(closes, [PUBLIC], ["127.0.0.1"], tls=True, owner="other.example")
    answer = here.send()

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, f"The certificate is not valid for {NAME}.")
    assert here.names.asked == [NAME, NAME]
    assert here.network.dialled == [here.there]
    assert (here.receiver.requests, here.trap.connections) == ([], 0)
