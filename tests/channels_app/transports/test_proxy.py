"""The way through an egress proxy."""

import base64
import contextlib
import socket
import ssl
import threading

import pytest
import trustme
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels_app.transports import Message, Outcome
from channels_app.transports.http.client import Client
from tests.channels_app.transports.sending import BODY, resolver, send
from tests.parametrizing import quick_first
from tests.servers.hostile import (
    Behaviour,
    HostileServer,
    Peer,
    answers,
    closes_at_once,
    drip_body,
    floods,
    hangs_after_accept,
    hangs_after_request,
    hangs_unread,
    head,
    sends,
    sends_then_resets,
    server_context,
)

NAME = "receiver.example"
OK = head(200, "Content-Length: 2") + b"ok"


def answers_all(peer: Peer) -> None:
    while True:
        peer.read_request()
        peer.send(OK)


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


@pytest.mark.parametrize("behaviour", quick_first([hangs_after_request, hangs_after_accept]))
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


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Via: 1.1 proxy.example (squid/6.6)", "X-Cache: MISS from proxy.example", "Server: nginx"),
        ("Proxy-Status: proxy.example; received-status=502",),
        # What lies between the receiver and its own intermediary is the receiver's business.
        ("Proxy-Status: cdn.example; error=connection_refused, proxy.example",),
    ],
)
@pytest.mark.parametrize("status", [403, 404, 502, 503])
def test_an_error_that_a_proxy_passes_on_is_the_receivers(status: int, lines: tuple[str, ...]) -> None:
    with HostileServer(answers(status, b"ok", *lines)) as proxy, through(proxy):
        answer = send(f"http://{NAME}/hook")

    assert (answer.outcome, answer.status_code) == (Outcome.HTTP_ERROR, status)


@pytest.mark.parametrize(
    ("status", "lines", "told"),
    [
        (407, (), "407 Proxy Authentication Required; an operator must mend EGRESS_PROXY_URL"),
        (
            407,
            ('Proxy-Authenticate: Basic realm="x"',),
            "407 Proxy Authentication Required; an operator must mend EGRESS_PROXY_URL",
        ),
        (511, (), "511 Network Authentication Required"),
        (403, ("X-Squid-Error: ERR_ACCESS_DENIED 0", "Via: 1.1 x (squid)"), "403 Forbidden (ERR_ACCESS_DENIED 0)"),
        (503, ("X-Squid-Error: ERR_DNS_FAIL 0",), "503 Service Unavailable (ERR_DNS_FAIL 0)"),
        (502, ("Proxy-Status: p.example; error=dns_error",), "502 Bad Gateway (p.example; error=dns_error)"),
        (504, ("Proxy-Status: cdn; received-status=200, p; error=x",), "504 Gateway Timeout (cdn;"),
        (403, ("Proxy-Agent: Privoxy 3.0.34",), "403 Forbidden"),
        (500, ("Server: tinyproxy/1.11.1",), "500 Internal Server Error"),
        (403, ("X-Smokescreen-Error: not allowed",), "403 Forbidden (not allowed)"),
        (403, (f"X-Squid-Error: {'e' * 999}",), f"403 Forbidden ({'e' * 99}…)"),
    ],
)
def test_a_refusal_that_is_the_proxys_own_is_told_as_its(status: int, lines: tuple[str, ...], told: str) -> None:
    with HostileServer(answers(status, b"no", *lines)) as proxy, through(proxy):
        plain = send(f"http://{NAME}/hook")
        tunnel = send(f"https://{NAME}/hook")

    for answer in (plain, tunnel):
        assert (answer.outcome, answer.status_code, answer.response_body) == (Outcome.CONNECTION_ERROR, None, "")
    assert plain.error.startswith(f"The egress proxy did not pass the request on to {NAME}: it answered {told}")
    assert tunnel.error.startswith(f"The egress proxy did not open a connection to {NAME}: it answered {told}")


def test_what_looks_like_a_proxys_refusal_without_a_proxy_is_the_receivers() -> None:
    with HostileServer(answers(407, b"", "X-Squid-Error: ERR_ACCESS_DENIED 0")) as server:
        answer = send(server.url)

    assert (answer.outcome, answer.status_code) == (Outcome.HTTP_ERROR, 407)


def test_a_receiver_behind_a_tunnel_that_answers_407_is_the_receiver(ca: trustme.CA) -> None:
    with (
        HostileServer(answers(407), tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port)) as proxy,
        through(proxy),
    ):
        answer = send(f"https://{NAME}/hook")

    assert (answer.outcome, answer.status_code) == (Outcome.HTTP_ERROR, 407)


@pytest.mark.parametrize(
    ("behaviour", "tunnel"),
    [
        (closes_at_once, f"The egress proxy closed the connection before it had opened one to {NAME}."),
        (sends(), f"The egress proxy closed the connection before it had opened one to {NAME}."),
        (sends_then_resets(b""), f"The egress proxy closed the connection before it had opened one to {NAME}."),
        (
            sends(b"HTTP/1.1 200 OK\r\nVia"),
            f"The egress proxy closed the connection before it had opened one to {NAME}.",
        ),
        (
            sends(b"SSH-2.0-OpenSSH_9.9\r\n"),
            f"The egress proxy did not open a connection to {NAME}: its answer is not valid HTTP.",
        ),
        (
            floods(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 99),
            f"The egress proxy did not open a connection to {NAME}: its answer is not valid HTTP.",
        ),
    ],
)
def test_a_proxy_that_does_not_do_its_work(behaviour: Behaviour, tunnel: str) -> None:
    with HostileServer(behaviour) as proxy, through(proxy):
        answer = send(f"https://{NAME}/hook")

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, tunnel)


@pytest.mark.parametrize("behaviour", [closes_at_once, sends(), sends_then_resets(b"")])
def test_a_proxy_that_closes_before_it_passes_an_answer_on(behaviour: Behaviour) -> None:
    with HostileServer(behaviour) as proxy, through(proxy):
        answer = send(f"http://{NAME}/hook")

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"The egress proxy closed the connection before an answer of {NAME} came."


@pytest.mark.parametrize("url", [f"http://{NAME}/hook", f"https://{NAME}/hook"])
def test_a_proxy_whose_certificate_is_for_somebody_else(url: str, ca: trustme.CA) -> None:
    with HostileServer(answers(), tls=server_context(ca, "other.example")) as proxy, through(proxy):
        answer = send(url)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == (
        "There is no TLS connection to the egress proxy. The certificate is not valid for 127.0.0.1."
    )
    assert proxy.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_credentials_are_read_from_percent_encoding(scheme: str, ca: trustme.CA) -> None:
    with (
        HostileServer(answers(), tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port) if scheme == "https" else answers()) as proxy,
        through(proxy, "me%40shop:p%3A%2F%C3%B6%25@"),
    ):
        assert send(f"{scheme}://{NAME}/hook").outcome == Outcome.SUCCEEDED

    credentials = base64.b64encode("me@shop:p:/ö%".encode())
    assert b"\r\nProxy-Authorization: Basic " + credentials + b"\r\n" in proxy.requests[0][0] + b"\r\n"
    assert b"Proxy-Authorization" not in b"".join(head for head, _ in server.requests)


def test_without_credentials_none_are_sent() -> None:
    with HostileServer(answers()) as proxy, through(proxy):
        answer = send(f"http://{NAME}/hook")

    assert b"proxy-authorization" not in proxy.requests[0][0].lower()
    assert "Proxy-Authorization" not in answer.request_headers


@pytest.mark.parametrize("port", [8443, 443])
def test_a_tunnel_to_an_ipv6_address_names_it_in_brackets(port: int) -> None:
    with HostileServer(answers(403)) as proxy, through(proxy):
        send(f"https://[2606:4700::1111]:{port}/hook")

    assert proxy.requests[0][0].startswith(f"CONNECT [2606:4700::1111]:{port} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("proxy_tls", [False, True], ids=["http proxy", "https proxy"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_connections_through_a_proxy_are_kept(proxy_tls: bool, tls: bool, ca: trustme.CA) -> None:
    client = Client()
    context = server_context(ca, "127.0.0.1") if proxy_tls else None
    with (
        HostileServer(answers_all, tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port) if tls else answers_all, tls=context) as proxy,
        through(proxy),
    ):
        told = [send(f"http{'s' * tls}://{NAME}/hook", through=client) for _ in range(4)]
        assert [answer.outcome for answer in told] == [Outcome.SUCCEEDED] * 4, told
        assert [answer.connection.kept for answer in told] == [False, True, True, True]
        assert (proxy.connections, len((server if tls else proxy).requests)) == (1, 4)


def test_of_a_tunnel_inside_tls_what_comes_counts_only_as_far_as_it_is_the_receivers(ca: trustme.CA) -> None:
    """The receiver takes a second request over the kept tunnel, and closes it: nothing of an answer has come."""
    client, first = Client(), iter([True])

    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        if next(first, False):
            peer.read_request()
            assert isinstance(peer.sock, ssl.SSLSocket)
            peer.sock.unwrap()

    with (
        HostileServer(behaviour, tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port), tls=server_context(ca, "127.0.0.1")) as proxy,
        through(proxy),
    ):
        send(f"https://{NAME}/hook", through=client)
        answer = send(f"https://{NAME}/hook", through=client)

    assert (answer.outcome, answer.connection.sent_again) == (Outcome.SUCCEEDED, True)


def test_a_receiver_that_takes_leave_of_tls_inside_tls_has_answered_nothing(ca: trustme.CA) -> None:
    def takes_leave(peer: Peer) -> None:
        peer.read_request()
        assert isinstance(peer.sock, ssl.SSLSocket)
        peer.sock.unwrap()

    with (
        HostileServer(takes_leave, tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port), tls=server_context(ca, "127.0.0.1")) as proxy,
        through(proxy),
    ):
        assert send(f"https://{NAME}/hook").outcome == Outcome.CONNECTION_ERROR


def test_a_large_request_and_an_early_answer_go_through_tls_inside_tls(ca: trustme.CA) -> None:
    def answers_early(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.send(head(413, "Content-Length: 0"))
        while peer.sock.recv(65536):
            pass  # else the proxy of this test closes both ways at once, and the answer is lost there

    whole = Message("evt_1", bytes(range(256)) * 8192)
    for behaviour, outcome in ((answers(), Outcome.SUCCEEDED), (answers_early, Outcome.HTTP_ERROR)):
        with (
            HostileServer(behaviour, tls=server_context(ca, NAME)) as server,
            HostileServer(tunnels_to(server.port), tls=server_context(ca, "127.0.0.1")) as proxy,
            through(proxy),
        ):
            assert send(f"https://{NAME}/hook", message=whole, timeout=30).outcome == outcome
        if outcome == Outcome.SUCCEEDED:
            assert server.requests[0][1] == whole.body


@pytest.mark.parametrize("behaviour", quick_first([hangs_after_request, hangs_unread, drip_body()]))
def test_the_deadline_cuts_tls_inside_tls(behaviour: Behaviour, ca: trustme.CA) -> None:
    with (
        HostileServer(behaviour, tls=server_context(ca, NAME)) as server,
        HostileServer(tunnels_to(server.port), tls=server_context(ca, "127.0.0.1")) as proxy,
        through(proxy),
    ):
        assert send(f"https://{NAME}/hook", timeout=0.5).outcome == Outcome.TIMEOUT


def test_a_certificate_is_checked_inside_tls_as_anywhere(ca: trustme.CA) -> None:
    with (
        HostileServer(answers(), tls=server_context(ca, "other.example")) as server,
        HostileServer(tunnels_to(server.port), tls=server_context(ca, "127.0.0.1")) as proxy,
        through(proxy),
    ):
        answer = send(f"https://{NAME}/hook")

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, f"The certificate is not valid for {NAME}.")
    assert server.requests == []


@pytest.mark.parametrize(
    "proxy", ["http://", "http://me:hush@:3128", "http://me:hush@p.example:x", "http://me:hu/sh@p.example:3128"]
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(proxy: str) -> None:
    with override_settings(EGRESS_PROXY_URL=proxy), pytest.raises(ImproperlyConfigured) as raised:
        send(f"https://{NAME}/hook")

    assert "EGRESS_PROXY_URL" in str(raised.value)
    assert "hu" not in str(raised.value)
