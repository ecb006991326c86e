"""Whatever anybody gives as a URL or a header: refused with a sentence, or sent as it stands and nowhere else."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator
from unittest import mock
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from urllib3.util import SKIP_HEADER, parse_url

from channels_app.transports import Outcome
from channels_app.transports.http.client import Client
from channels_app.transports.net.addresses import refusal
from channels_app.transports.rules import check_headers, check_url
from tests.channels_app.transports.sending import BODY, NOW, send
from tests.hostile.spellings import BLOCKED_AT_THE_WIRE, ONLY_PUBLIC, READ_IN_MORE_THAN_ONE_WAY, REFUSED_AT_THE_FORM
from tests.servers.hostile import HostileServer, Peer, head

SPELLINGS = [
    url.replace("{port}", "8000")
    for url in (
        *(url for url, *_ in (*REFUSED_AT_THE_FORM, *BLOCKED_AT_THE_WIRE)),
        *(*READ_IN_MORE_THAN_ONE_WAY, *ONLY_PUBLIC),
    )
]
bounded = settings(
    max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

# Almost URLs: each part is right more often than not.
schemes = st.sampled_from(["http", "https", "HTTP", "hTTps", "http", "https", "ftp", "file", "http+unix", ""])
separators = st.sampled_from(["://"] * 9 + [":/", ":", ":///", ":\\\\", "://／"])
credentials = st.sampled_from([""] * 9 + ["@", "me@", "me:hush@", "public.example#@", "public.example\\@", "a%40b@"])
odd_hosts = st.text(st.sampled_from("aAxX019.-_%:@[]\\/?#!~。．｡①ℓßİK\u200d\u00ad日ä\ud800 \t\n\0"), max_size=12)
addresses = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda address: f"[{address}]")
numbers = (
    st.integers(0, 2**33)
    .map(lambda n: [str(n), hex(n), f"0{n:o}", f"127.{n}", f"1.2.3.{n % 999}"])
    .flatmap(st.sampled_from)
)
names = st.from_regex(r"[a-z0-9äßλ日_]{1,9}(-[a-z0-9]{1,5})?(\.[a-zé]{2,6}){0,3}\.?", fullmatch=True)
hosts = st.one_of(names, names, addresses, numbers, odd_hosts)
ports = st.sampled_from(
    ["", "", "", ":", ":80", ":443", ":8443", ":00080", ":0", ":65535", ":65536", ":x", ":８０", ":-1"]
)
tails = st.text(st.sampled_from("aZ0/.%2f5c?#&=@:;\\'\"<>[]{}|^`~ä日\u2028\r\n\0 "), max_size=20)
almost_urls = st.builds(
    lambda *parts: "".join(parts), schemes, separators, credentials, hosts, ports, st.just("/") | st.just(""), tails
)
urls = st.one_of(almost_urls, almost_urls, st.text(max_size=40), st.sampled_from(SPELLINGS))


def sentence(text: str) -> bool:
    return bool(re.fullmatch(r"\S.*\.", text)) and text.isprintable()


def checked(url: str) -> str | None:
    """The URL as it is called; None where it is refused, with a sentence."""
    try:
        return check_url(url)
    except ValueError as refused:
        assert type(refused) is ValueError
        assert sentence(str(refused)), refused
        return None


@bounded
@given(url=urls)
def test_a_url_is_refused_with_a_sentence_or_has_one_form_and_no_surprises(url: str) -> None:
    usable = checked(url)
    if usable is None:
        return

    assert check_url(usable) == usable
    assert re.fullmatch(r"https?://[!-~]{1,1993}", usable)
    parts = urlsplit(usable)
    assert not set("\\@") & set(parts.netloc)
    assert (parts.username, parts.password, parts.fragment) == (None, None, "")


@bounded
@given(url=urls)
def test_urllib3_reads_the_host_and_port_that_are_checked(url: str) -> None:
    usable = checked(url)
    if usable is None:
        return

    ours, theirs = urlsplit(usable), parse_url(usable)
    assert (theirs.scheme, theirs.auth, theirs.fragment) == (ours.scheme, None, None)
    assert (theirs.host or "").strip("[]") == ours.hostname
    assert theirs.port == ours.port


def test_what_is_looked_up_and_dialled_is_the_host_and_port_of_the_url() -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int, limit: float) -> list[str]:
        asked.append((host, port))
        return []

    def dial(_: socket.socket, address: tuple[str, int]) -> None:
        asked.append(address[:2])
        raise ConnectionRefusedError

    client = Client(resolve=resolve)

    @bounded
    @given(url=urls)
    def holds(url: str) -> None:
        asked.clear()
        answer = client.post(url, BODY, {}, now=NOW, timeout=10)
        usable = checked(url)
        if usable is None:
            assert (answer.outcome, asked) == (Outcome.BLOCKED, [])
            return
        parts = urlsplit(usable)
        aim = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        if answer.outcome == Outcome.BLOCKED:
            assert refusal(ipaddress.ip_address(aim[0])) is not None
            assert asked == []
        else:
            assert (answer.outcome, asked) == (Outcome.CONNECTION_ERROR, [aim])

    with mock.patch.object(socket.socket, "connect", dial):
        holds()


tokens = st.text(st.sampled_from("!#$%&'*+-.^_`|~09azAZ"), min_size=1, max_size=20)
printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
usable_headers = st.dictionaries(tokens, printable, max_size=20)
any_headers = st.dictionaries(
    st.one_of(tokens, st.sampled_from(["Host", "content-x", "Cookie", "Expect", "X"]), st.text(max_size=8)),
    st.one_of(printable, st.text(max_size=30)),
    max_size=22,
)


def accepted(headers: dict[str, str]) -> dict[str, str] | None:
    """As they are sent; None where they are refused, with a sentence."""
    try:
        return check_headers(headers)
    except ValueError as refused:
        assert type(refused) is ValueError
        assert sentence(str(refused)), refused
        return None


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    def keeps(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(head(200, "Content-Length: 2") + b"ok")

    with HostileServer(keeps) as server:
        yield server


@pytest.fixture(scope="module")
def arrives(server: HostileServer) -> Callable[[dict[str, str]], list[str]]:
    """Sends these headers along; gives all lines of the one head that has arrived."""
    client = Client()

    def arrives(headers: dict[str, str]) -> list[str]:
        before = len(server.requests)
        answer = send(server.url, headers=headers, through=client)
        assert (answer.outcome, answer.error) == (Outcome.SUCCEEDED, "")
        [(raw, body)] = server.requests[before:]
        assert body == BODY
        return raw.decode("ascii").split("\r\n")

    return arrives


@settings(bounded, max_examples=150)
@example(headers={"accept-encoding": "gzip", "Cookie": "a=b; c=d", "Expect": "100-continue", "X-Empty": ""})
@given(headers=st.one_of(usable_headers, any_headers))
def test_headers_are_refused_with_a_sentence_or_arrive_as_given_and_bring_nothing_along(
    headers: dict[str, str], arrives: Callable[[dict[str, str]], list[str]]
) -> None:
    usable = accepted(headers)
    if usable is None:
        return

    theirs = {name.lower() for name in usable}
    request, *lines = arrives(headers)
    given_lines = [line for line in lines if line.partition(":")[0].lower() in theirs]
    our_lines = [line.partition(":")[0] for line in lines if line.partition(":")[0].lower() not in theirs]
    assert request == "POST /hook HTTP/1.1"
    assert sorted(given_lines) == sorted(f"{name}: {value}" for name, value in usable.items())
    assert sorted(our_lines) == sorted(
        {
            *("Host", "User-Agent", "Content-Type", "Content-Length"),
            *("webhook-id", "webhook-timestamp", "webhook-signature"),
            *(set() if "accept-encoding" in theirs else {"Accept-Encoding"}),
        }
    )


@pytest.mark.parametrize("name", ["X-A", "Accept-Encoding"])
def test_a_value_that_urllib3_gives_a_meaning_of_its_own_arrives_or_is_refused(
    name: str, arrives: Callable[[dict[str, str]], list[str]]
) -> None:
    if accepted({name: SKIP_HEADER}) is not None:
        assert f"{name}: {SKIP_HEADER}" in arrives({name: SKIP_HEADER})


@bounded
@given(
    headers=usable_headers,
    name=tokens,
    before=printable,
    breach=st.sampled_from(["\r", "\n", "\0", "\r\n", "\r\nHost: public.example", "\r\n\r\nPOST / HTTP/1.1\r\n"]),
    after=printable,
    in_the_name=st.booleans(),
)
def test_a_line_break_or_nul_anywhere_is_refused(
    headers: dict[str, str], name: str, before: str, breach: str, after: str, in_the_name: bool
) -> None:
    broken = {f"{name}{breach}{after}": before} if in_the_name else {name: f"{before}{breach}{after}"}

    assert accepted({**headers, **broken}) is None


@bounded
@given(headers=any_headers)
def test_checked_headers_are_checked_already(headers: dict[str, str]) -> None:
    usable = accepted(headers)
    if usable is not None:
        assert check_headers(usable) == usable
