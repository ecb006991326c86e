"""The adapter as `requests` itself uses one."""

import pytest
import requests
import trustme
from django.test import override_settings

from channels_app.transports.http.adapter import ExchangeAdapter
from channels_app.transports.http.pool import Pool
from channels_app.transports.net.deadline import Exchange
from channels_app.transports.net.dialing import Dialer
from channels_app.transports.net.tls import tls_context
from tests.channels_app.transports.conftest import LOOPBACK
from tests.channels_app.transports.sending import resolver, send
from tests.servers.hostile import HostileServer, Peer, answers, head, server_context


def adapter(bundle: object) -> ExchangeAdapter:
    dialer = Dialer(Exchange(20), resolver(["127.0.0.1"]), allowed=LOOPBACK)
    return ExchangeAdapter(Pool(), dialer, tls_context(str(bundle)), channel="a")


def session_with(mounted: ExchangeAdapter) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, mounted)
    return session


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_session_of_requests_posts_by_it_and_reads_the_whole_answer(tls: bool, ca: trustme.CA, ca_bundle) -> None:
    body = bytes(range(256)) * 1000

    def echo(peer: Peer) -> None:
        while True:
            sent = peer.read_request().partition(b"\r\n\r\n")[2]
            peer.send(head(201, f"Content-Length: {len(sent)}", "X-Id: 1") + sent)

    context = server_context(ca, "shop.example") if tls else None
    with HostileServer(echo, tls=context) as server, session_with(adapter(ca_bundle)) as session:
        for _ in range(2):
            response = session.post(server.url_for("shop.example"), data=body)
            assert (response.status_code, response.reason, response.headers["x-id"]) == (201, "Whatever", "1")
            assert response.content == body
        assert server.connections == 1


def test_an_answer_can_be_read_in_pieces_and_left(ca_bundle) -> None:
    with HostileServer(answers(200, b"x" * 100_000)) as server, session_with(adapter(ca_bundle)) as session:
        with session.post(server.url, data=b"{}", stream=True) as response:
            assert next(response.iter_content(1000)) == b"x" * 1000
            assert response.raw.read(5) == b"xxxxx"
        assert response.raw.read1(5) == b""


@pytest.mark.parametrize(("name", "value"), [("X-A", "a\r\nB: c"), ("X-A", "a\nb"), ("X-A\r\nB", "a"), ("X-A", "a\rb")])
def test_no_header_brings_another_one_along(name: str, value: str, ca_bundle) -> None:
    request = requests.PreparedRequest()
    request.method, request.url, request.body = "POST", "http://127.0.0.1:1/", b""
    request.headers = requests.structures.CaseInsensitiveDict({name: value})

    with pytest.raises(ValueError, match="line break"):
        adapter(ca_bundle).send(request)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_bundle_that_is_not_there_is_for_an_operator_to_mend_and_no_fault_of_the_receiver(scheme: str) -> None:
    with (
        HostileServer(answers()) as server,
        override_settings(EXTRA_CA_BUNDLE="/nowhere/bundle.pem"),
        pytest.raises(FileNotFoundError),
    ):
        send(server.url.replace("http", scheme))
    assert server.connections == 0
