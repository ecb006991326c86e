"""A name with addresses of two families, of which one, or all but one address, leads nowhere.

IPv4-mapped addresses stand for a family of their own here: they are IPv6 to everything above the kernel, and a loopback
interface has as many of them as a test needs.
"""

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.test import override_settings

from channels_app.transports import Outcome
from channels_app.transports.net.addresses import Address
from channels_app.transports.net.connecting import interleaved
from tests.channels_app.transports.mailing import mail_goes_to, send_mail
from tests.channels_app.transports.sending import resolver, send
from tests.servers.hostile import HostileServer, answers, refusing_port, unaccepting_port
from tests.servers.mailserver import MailServer
from tests.waiting import wait_until

NAME = "receiver.example"
DEAD_V4 = [f"127.0.0.{number}" for number in range(11, 19)]
DEAD_V6 = [f"::ffff:{address}" for address in DEAD_V4]
LIVE_V4 = "127.0.0.2"
LIVE_V6 = f"::ffff:{LIVE_V4}"
CONNECT_SECONDS = 10.0
# All of one family silent costs a quarter of a second; the rest is for a busy machine.
WELL_WITHIN = 6.0

pytestmark = pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")


@pytest.fixture(autouse=True)
def loopback_is_allowed() -> Iterator[None]:
    networks = [ipaddress.ip_network(network) for network in ("127.0.0.0/8", "::ffff:127.0.0.0/104")]
    with override_settings(POSTBACK_ALLOWED_NETWORKS=networks):
        yield


def open_files() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(
    ("given", "in_turn"),
    [
        ("a", "a"),
        ("A", "A"),
        ("ABCDEFGHa", "AaBCDEFGH"),
        ("abcA", "aAbc"),
        ("AaBb", "AaBb"),
        ("ABabc", "AaBbc"),
        ("", ""),
    ],
)
def test_families_take_turns_and_the_first_stays_the_first(given: str, in_turn: str) -> None:
    known = {letter: ipaddress.IPv6Address(f"2001:db8::{letter}") for letter in "ABCDEF"}
    known |= {"G": ipaddress.IPv6Address("2001:db8::10"), "H": ipaddress.IPv6Address("2001:db8::11")}
    all_of_them: dict[str, Address] = {
        **known,
        **{letter: ipaddress.IPv4Address(f"192.0.2.{ord(letter)}") for letter in "abc"},
    }

    assert interleaved(all_of_them[letter] for letter in given) == [all_of_them[letter] for letter in in_turn]


@pytest.mark.parametrize(
    ("dead", "live"), [(DEAD_V6, LIVE_V4), (DEAD_V4, LIVE_V6)], ids=["IPv6 is dead", "IPv4 is dead"]
)
@pytest.mark.parametrize("silent", [True, False], ids=["silent", "refusing"])
def test_one_live_address_behind_eight_dead_ones_of_the_other_family(dead: list[str], live: str, silent: bool) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(unaccepting_port(*DEAD_V4)) if silent else 0
        server = stack.enter_context(HostileServer(answers(), host=LIVE_V4, port=port))
        began = time.monotonic()
        answer = send(server.url_for(NAME), resolve=resolver([*dead, live]), timeout=30)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert answer.connection is not None
    assert ipaddress.ip_address(answer.connection.address) == ipaddress.ip_address(live)
    assert time.monotonic() - began < WELL_WITHIN


@pytest.mark.slow
def test_the_last_of_four_live_behind_seven_silent_ones_gets_its_share() -> None:
    with unaccepting_port(*DEAD_V4) as port, HostileServer(answers(), host=LIVE_V4, port=port) as server:
        names = resolver([*DEAD_V6[:4], *DEAD_V4[:3], LIVE_V4])
        answer = send(server.url_for(NAME), resolve=names, connect_seconds=2.0)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error


def test_at_most_eight_are_tried_and_both_families_are_among_them() -> None:
    live = ["127.0.0.3", LIVE_V4]  # the ninth and the tenth
    with HostileServer(answers(), host=LIVE_V4) as server:
        answer = send(server.url_for(NAME), resolve=resolver([*DEAD_V6, *DEAD_V4[:3], *live]))

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"Nothing listens on {NAME} port {server.port}."


def test_what_the_guard_refuses_takes_nobodys_place() -> None:
    refused = [f"10.0.0.{number}" for number in range(1, 20)]
    with HostileServer(answers(), host=LIVE_V4) as server:
        answer = send(server.url_for(NAME), resolve=resolver([*refused, *DEAD_V6, LIVE_V4]))

    assert answer.outcome == Outcome.SUCCEEDED, answer.error


def test_silent_addresses_end_with_the_limit_and_leave_nothing_open() -> None:
    with unaccepting_port(*DEAD_V4) as port:
        before = len(open_files())
        began = time.monotonic()
        answer = send(f"http://{NAME}:{port}/", resolve=resolver([*DEAD_V6, *DEAD_V4]), connect_seconds=1.0)
        took = time.monotonic() - began
        wait_until(lambda: len(open_files()) <= before)  # what other tests have left may be closed meanwhile

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"{NAME} port {port} did not accept a connection in time."
    assert 1.0 <= took < 1.0 + WELL_WITHIN


def test_a_refusal_is_told_though_the_other_family_has_no_way_from_here() -> None:
    # A link-local address without its link cannot be reached from anywhere.
    allowed = [ipaddress.ip_network(network) for network in ("127.0.0.0/8", "fe80::/10")]
    with refusing_port() as port, override_settings(POSTBACK_ALLOWED_NETWORKS=allowed):
        answers_given = [
            send(f"http://{NAME}:{port}/", resolve=resolver(order))
            for order in (["fe80::1", "127.0.0.1"], ["127.0.0.1", "fe80::1"])
        ]

    for answer in answers_given:
        assert answer.error == f"Nothing listens on {NAME} port {port}."
        assert answer.connection is not None
        assert answer.connection.address == "127.0.0.1"


def test_a_mail_server_is_reached_though_one_family_is_silent() -> None:
    with (
        unaccepting_port(*DEAD_V4) as port,
        MailServer(host=LIVE_V4, port=port),
        mail_goes_to(port, "mail.example.com"),
    ):
        began = time.monotonic()
        answer = send_mail(resolve=resolver([*DEAD_V6, LIVE_V4]))

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert time.monotonic() - began < WELL_WITHIN


def test_an_egress_proxy_is_reached_though_one_family_is_silent() -> None:
    with (
        unaccepting_port(*DEAD_V4) as port,
        HostileServer(answers(), host=LIVE_V4, port=port) as proxy,
        override_settings(EGRESS_PROXY_URL=f"http://proxy.example:{port}"),
    ):
        began = time.monotonic()
        answer = send(f"http://{NAME}/hook", resolve=resolver([*DEAD_V6, LIVE_V4]))

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert proxy.requests[0][0].startswith(b"POST http://receiver.example/hook ")
    assert time.monotonic() - began < WELL_WITHIN
