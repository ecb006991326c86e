"""What is stored for a channel, shown in its attempts and sent in the request line is one thing."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels_app.transports import Outcome
from channels_app.transports.http.client import Client
from channels_app.transports.rules import check_url
from tests.channels_app.transports.sending import resolver, send
from tests.servers.hostile import HostileServer, Peer, head

TAILS = [
    *("", "/", "?", "?a=b", "/?", "//", "//x", "/x//y", "/%", "/%?%", "/a%zz", "/a%2", "/%2fb%e4", "/%41", "/%%41"),
    *("/a/../b", "/a/./b/..", "/..", "/%2e%2e/b", "/a;b=c", "/a[0]", "/?a[]=1&b={}|^`\"<>'", "/größe?ä=ö%", "/a?b?c"),
    *("/a#b", "/:@!$&'()*+,;=~", "/a?http://b/../c", "/a+b?c+d"),
]
tails = st.text(st.sampled_from("aZ0/.%2f5c?#&=@:;'\"<>[]{}|^`~ä日+!,"), max_size=20).map(lambda tail: f"/{tail}")
bounded = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    def keeps(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(head(200, "Content-Length: 0"))

    with HostileServer(keeps) as server:
        yield server


@pytest.fixture
def arrives(server: HostileServer) -> Callable[[str, Client], None]:
    """Sends to a URL, and checks the one request line that arrives against what is stored and shown."""

    def arrives(url: str, client: Client) -> None:
        stored = check_url(url)
        before = len(server.requests)
        answer = send(url, through=client)
        assert (answer.outcome, answer.url) == (Outcome.SUCCEEDED, stored), answer.error
        [(raw, _)] = server.requests[before:]
        method, target, version = raw.decode("ascii").split("\r\n")[0].split(" ")
        assert (method, version) == ("POST", "HTTP/1.1")
        path_and_query = stored.removeprefix(f"http://{urlsplit(stored).netloc}") or "/"
        assert (target.removeprefix(f"http://{urlsplit(stored).netloc}") or "/") == path_and_query

    return arrives


@pytest.mark.parametrize("tail", TAILS)
def test_the_request_line_has_the_path_and_query_that_are_stored_and_shown(
    server: HostileServer, arrives: Callable[[str, Client], None], tail: str
) -> None:
    arrives(server.url.removesuffix("/hook") + tail, Client())


@pytest.mark.parametrize("tail", TAILS)
def test_so_it_has_through_an_egress_proxy(
    server: HostileServer, arrives: Callable[[str, Client], None], tail: str
) -> None:
    with override_settings(EGRESS_PROXY_URL=server.url.removesuffix("/hook")):
        arrives(f"http://receiver.example{tail}", Client(resolve=resolver(["127.0.0.1"])))


def test_so_it_has_whatever_is_given(server: HostileServer, arrives: Callable[[str, Client], None]) -> None:
    client = Client()

    @bounded
    @given(tail=tails)
    @example(tail="/a%")
    def holds(tail: str) -> None:
        arrives(server.url.removesuffix("/hook") + tail, client)

    holds()


@bounded
@given(tail=tails)
def test_what_is_checked_once_stays_so(tail: str) -> None:
    checked = check_url(f"https://receiver.example{tail}")
    assert check_url(checked) == checked
