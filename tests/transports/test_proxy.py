"""The way through an egress proxy."""

import contextlib
import socket
import threading

import pytest
import trustme
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels_app.transports import Outcome
from tests.transports.hostile import (
    Behaviour,
    HostileServer,
    Peer,
    answers,
    drip_body,
    hangs_after_accept,
    hangs_after_request,
    server_context,
)
from tests.transports.sending import BODY, resolver, send

NAME = "receiver.example"


def tunnels_to(port: int) -> Behaviour:
    """A CONNECT proxy whose names all lead to `port` of this machine."""

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        with socket.create_connection(("127.0.0.1", port)) as onward:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, peer.sock), daemon=True)
            back.start()
            pump(peer.sock, onward)
            back.join()

    return behaviour


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def through(proxy: HostileServer, credentials: str = "") -> override_settings:
    return override_settings(
        EGRESS_PROXY_URL=proxy.url.replace("/hook", "").replace("://", f"://{credentials}"),
        POSTBACK_ALLOWED_NETWORKS=[],
    )


def test_tls_goes_through_a_tunnel_and_the_proxy_resolves_the_name(ca: trustme.CA) -> None:
    nobody = resolver([])
    with (
        HostileServer(answers(200, b"through"), tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port)) as proxy,
        through(proxy, "me:hush@"),
    ):
        answer = send(f"https://{NAME}/hook", resolve=nobody)

    assert (answer.outcome, answer.response_body) == (Outcome.SUCCEEDED, "through"), answer.error
    assert proxy.requests[0][0].startswith(f"CONNECT {NAME}:443 HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic bWU6aHVzaA==" in proxy.requests[0][0]
    assert b"Proxy-Authorization" not in server.requests[0][0]
    assert (server.requests[0][1], nobody.asked) == (BODY, [])


def test_plain_http_is_forwarded_by_the_proxy() -> None:
    with HostileServer(answers()) as proxy, through(proxy):
        answer = send(f"http://{NAME}/hook", resolve=resolver([]))

    assert answer.outcome == Outcome.SUCCEEDED
    assert proxy.requests[0][0].startswith(f"POST http://{NAME}/hook HTTP/1.1\r\n".encode())
    assert f"\r\nHost: {NAME}\r\n".encode() in proxy.requests[0][0]


def test_a_proxy_may_be_reached_by_tls(ca: trustme.CA) -> None:
    context = server_context(ca, "127.0.0.1")
    with HostileServer(answers(), tls=context) as proxy, through(proxy):
        assert send(f"http://{NAME}/hook").outcome == Outcome.SUCCEEDED
    for behaviour in (hangs_after_accept, hangs_after_request):
        with HostileServer(behaviour, tls=context) as proxy, through(proxy):
            assert send(f"https://{NAME}/hook", timeout=0.4).outcome == Outcome.TIMEOUT


def test_an_address_in_the_url_is_still_checked() -> None:
    with HostileServer(answers()) as proxy, through(proxy):
        answer = send("http://169.254.169.254/latest")

    assert answer.outcome == Outcome.BLOCKED
    assert answer.error.startswith("The address 169.254.169.254 is not public (cloud metadata); ")
    assert proxy.connections == 0


def test_a_proxy_that_refuses_the_tunnel() -> None:
    with HostileServer(answers(403)) as proxy, through(proxy):
        answer = send(f"https://{NAME}/hook")

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"The egress proxy did not open a connection to {NAME}: it answered 403 Forbidden."


def test_a_proxy_where_nothing_listens() -> None:
    with override_settings(EGRESS_PROXY_URL="http://127.0.0.1:1"):
        answer = send(f"https://{NAME}/hook")

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, "Nothing listens on 127.0.0.1 port 1.")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "127.0.0.1:3128"])
def test_only_http_proxies_are_usable(proxy: str) -> None:
    with override_settings(EGRESS_PROXY_URL=proxy), pytest.raises(ImproperlyConfigured, match="EGRESS_PROXY_URL"):
        send(f"https://{NAME}/hook")


@pytest.mark.parametrize("behaviour", [hangs_after_accept, hangs_after_request])
def test_the_deadline_cuts_a_hanging_proxy(behaviour: Behaviour) -> None:
    with HostileServer(behaviour) as proxy, through(proxy):
        assert send(f"https://{NAME}/hook", timeout=0.4).outcome == Outcome.TIMEOUT
        assert send(f"http://{NAME}/hook", timeout=0.4).outcome == Outcome.TIMEOUT


def test_the_deadline_cuts_a_receiver_behind_a_tunnel(ca: trustme.CA) -> None:
    with (
        HostileServer(drip_body(), tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port)) as proxy,
        through(proxy),
    ):
        answer = send(f"https://{NAME}/hook", timeout=0.6)

    assert (answer.outcome, answer.status_code) == (Outcome.TIMEOUT, 200)


def test_a_receiver_behind_a_tunnel_that_closes_before_it_answers(ca: trustme.CA) -> None:
    with (
        HostileServer(lambda peer: peer.reset(), tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port)) as proxy,
        through(proxy),
    ):
        assert send(f"https://{NAME}/hook").outcome == Outcome.CONNECTION_ERROR


def test_an_error_of_a_forwarding_proxy_is_the_answer() -> None:
    with HostileServer(answers(502)) as proxy, through(proxy):
        answer = send(f"http://{NAME}/hook")

    assert (answer.outcome, answer.status_code) == (Outcome.HTTP_ERROR, 502)
