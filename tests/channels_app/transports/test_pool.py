"""Connections wait for the next delivery of their channel, for a while, and not too many of them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from channels_app.transports import Destination, Message, Outcome
from channels_app.transports.http import connection, pool
from channels_app.transports.http.client import Client
from channels_app.transports.http.pool import Pool
from channels_app.transports.net.tls import _make, tls_context
from channels_app.transports.postback.transport import PostbackTransport
from channels_app.transports.slack.transport import SlackTransport
from tests.channels_app.transports.sending import BODY, NOW, SECRET
from tests.channels_app.transports.test_slack import MESSAGE
from tests.servers.hostile import HostileServer, Peer, head, server_context
from tests.waiting import wait_until

OK = head(200, "Content-Length: 2") + b"ok"


def keeps(peer: Peer) -> None:
    while True:
        peer.read_request()
        peer.send(OK)


def channel(number: int, url: str) -> Destination:
    return Destination("postback", url, secrets=(SECRET,), channel_id=f"channel-{number}")


def states_of(port: int) -> list[str]:
    """Of the connections of this machine to `port`, as their client side sees them (01: open, 08: CLOSE_WAIT)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return [row[3] for row in rows if row[2].endswith(f":{port:04X}")]


def test_twenty_channels_on_one_host_reuse_their_connections_and_have_no_more_than_they_use_at_once() -> None:
    transport, concurrency, channels, rounds = PostbackTransport(Client()), 4, 20, 10
    turns = {number: threading.Semaphore(concurrency) for number in range(channels)}

    with HostileServer(keeps) as server:

        def deliver(number: int) -> Outcome:
            with turns[number]:
                return transport.send(channel(number, server.url), Message("evt_1", BODY), now=NOW, timeout=30).outcome

        with ThreadPoolExecutor(40) as threads:
            work = [number for _ in range(rounds * concurrency) for number in range(channels)]
            outcomes = list(threads.map(deliver, work))
        assert outcomes == [Outcome.SUCCEEDED] * (rounds * concurrency * channels)
        assert len(server.requests) == rounds * concurrency * channels
        assert server.connections <= channels * concurrency


def test_a_channel_takes_no_connection_of_another_one() -> None:
    transport = PostbackTransport(Client())
    with HostileServer(keeps) as server:
        for number in (1, 2, 1, 2):
            transport.send(channel(number, server.url), Message("evt_1", BODY), now=NOW, timeout=10)
        assert (server.connections, len(server.requests)) == (2, 4)


def test_slack_channels_keep_connections_as_well() -> None:
    transport = SlackTransport(Client())
    with HostileServer(keeps) as server:
        for number in (1, 2, 1, 2):
            to = Destination("slack", server.url, channel_id=f"channel-{number}")
            assert transport.send(to, MESSAGE, now=NOW, timeout=10).outcome == Outcome.SUCCEEDED
        assert (server.connections, len(server.requests)) == (2, 4)


def test_a_channel_whose_url_has_changed_takes_no_connection_to_the_old_one() -> None:
    transport = PostbackTransport(Client())
    with HostileServer(keeps) as old, HostileServer(keeps) as new:
        for server in (old, new, new):
            transport.send(channel(1, server.url), Message("evt_1", BODY), now=NOW, timeout=10)
        assert (len(old.requests), len(new.requests), new.connections) == (1, 2, 1)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="The states of connections are read from /proc.")
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_what_the_receiver_has_closed_is_closed_although_nothing_more_is_sent(
    tls: bool, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 60.0)
    monkeypatch.setattr(pool, "LOOKS_SECONDS", 0.05)
    client = Client()

    def answers_and_closes_later(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)

    with HostileServer(answers_and_closes_later, tls=server_context(ca, "127.0.0.1") if tls else None) as server:
        PostbackTransport(client).send(channel(1, server.url), Message("evt_1", BODY), now=NOW, timeout=10)
        wait_until(lambda: states_of(server.port) == ["08"])
        monkeypatch.setattr(connection, "IDLE_SECONDS", 0.1)
        wait_until(lambda: states_of(server.port) == [])
    assert len(client._pool) == 0


def test_the_thread_that_closes_ends_with_the_last_idle_connection_and_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(pool, "LOOKS_SECONDS", 0.02)
    client = Client()
    with HostileServer(keeps) as server:
        for _ in range(2):
            PostbackTransport(client).send(channel(1, server.url), Message("evt_1", BODY), now=NOW, timeout=10)
            closer = client._pool._closer
            wait_until(lambda: len(client._pool) == 0)
            assert closer is not None
            closer.join(10)
            assert not closer.is_alive()
    assert server.connections == 2


def test_connections_are_kept_for_less_long_than_receivers_and_names_last() -> None:
    """Node.js closes an idle one after five seconds; a name may come to mean another address."""
    assert connection.IDLE_SECONDS < 5
    assert connection.LONGEST_USE_SECONDS <= 60


class Idle:
    """As much of a connection as a pool looks at."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.closed = threading.Event()

    def is_usable(self) -> bool:
        return not self.closed.is_set()

    def close(self) -> None:
        self.closed.set()


def test_beyond_the_number_of_all_the_one_that_was_idle_longest_is_closed() -> None:
    kept, pooled = [Idle() for _ in range(pool.KEPT_IN_ALL + 3)], Pool()
    for number, idle in enumerate(kept):
        pooled.put(number, idle)  # type: ignore[arg-type]

    assert [number for number, idle in enumerate(kept) if idle.closed.is_set()] == [0, 1, 2]
    assert len(pooled) == pool.KEPT_IN_ALL
    assert [pooled.take(number) for number in (0, 2, 3)] == [None, None, kept[3]]


def test_a_channel_keeps_a_few_and_the_one_used_last_is_taken_first() -> None:
    kept, pooled = [Idle() for _ in range(pool.KEPT_PER_CHANNEL + 2)], Pool()
    for idle in kept:
        pooled.put("channel", idle)  # type: ignore[arg-type]

    assert [idle.closed.is_set() for idle in kept] == [False] * pool.KEPT_PER_CHANNEL + [True] * 2
    assert pooled.take("channel") is kept[pool.KEPT_PER_CHANNEL - 1]
    kept[pool.KEPT_PER_CHANNEL - 2].close()
    assert pooled.take("channel") is kept[pool.KEPT_PER_CHANNEL - 3]
    assert pooled.take("other") is None


def test_nothing_is_left_of_a_channel_without_idle_connections() -> None:
    pooled = Pool()
    pooled.put("channel", Idle())  # type: ignore[arg-type]
    assert pooled.take("channel") is not None
    assert (len(pooled), pooled._by_key) == (0, {})


def test_what_lies_ready_on_a_kept_connection_closes_it() -> None:
    """A receiver that speaks unasked: none of it may be taken for the answer to the next request."""
    client, said = Client(), threading.Event()

    def speaks_unasked(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        peer.send(head(500, "Content-Length: 0"))
        said.set()
        peer.hang()

    with HostileServer(speaks_unasked) as server:
        for _ in range(2):
            told = PostbackTransport(client).send(channel(1, server.url), Message("e", BODY), now=NOW, timeout=10)
            assert told.outcome == Outcome.SUCCEEDED
            assert said.wait(10)
        assert server.connections == 2


def test_threads_that_begin_together_trust_by_one_context() -> None:
    """Connections are kept by it: of two, each would have connections of its own."""
    _make.cache_clear()
    together = threading.Barrier(8)

    def begin(_: int) -> int:
        together.wait()
        return id(tls_context(""))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(begin, range(8)))) == 1
