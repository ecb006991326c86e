"""SIGSTOP of a worker until its leases have run out, and SIGCONT: another has sent meanwhile what it held."""

import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from tests.channels_app.kinds.receivers import RECEIVERS, Arrived
from tests.faults.installation import ATTEMPTS, CHANNEL_CAP, DELIVERIES, Installation, freeze, frozen, wake
from tests.faults.telling import prove_nothing_is_lost, tell
from tests.servers.hostile import HostileServer, Peer, before_tls, head, server_context
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def test_a_worker_frozen_past_its_leases_neither_sends_nor_records_what_another_has_sent(tidings, receiver, tmp_path):
    go_on = threading.Event()
    receiver.answer = lambda request: 200 if go_on.wait(60) else 500
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    # More slots than are needed: the last ones are kept for channels that have nothing in flight.
    trusting = {"EXTRA_CA_BUNDLE": str(tmp_path / "authority.pem"), "DELIVERY_CONCURRENCY": "32"}
    answered = len(RECEIVERS) * CHANNEL_CAP
    with HostileServer(shaking_hands_later(server_context(authority, "127.0.0.1"), go_on, receiver)) as unhurried:
        tidings.channels(receiver, "/quick", "contact.created")
        unhurried_url = f"https://127.0.0.1:{unhurried.port}/unhurried"
        tidings.channel("/unhurried", {"kind": "postback", "url": unhurried_url}, "contact.created")
        sleeper = tidings.worker(**trusting)
        for number in range(CHANNEL_CAP):
            tidings.contact(number)
        # The requests of one channel wait for an answer, those of the other have not been sent yet.
        wait_until(lambda: (len(receiver.received), unhurried.connections) == (answered, CHANNEL_CAP), timeout=60)
        with frozen(sleeper):
            go_on.set()
            other = tidings.worker(**trusting)
            tidings.settle()
            told = prove_nothing_is_lost(tidings, receiver, events=CHANNEL_CAP, channels=len(RECEIVERS) + 1)
            recorded = everything(tidings)
        assert Counter((each.path, each.outcomes, each.arrivals) for each in told) == {
            **{(f"/{kind}/quick", ("unknown", "succeeded"), 2): CHANNEL_CAP for kind in RECEIVERS},
            ("/unhurried", ("unknown", "succeeded"), 1): CHANNEL_CAP,
        }
        wait_until(lambda: lost_leases(tidings.log(sleeper)) == answered + CHANNEL_CAP)
        assert len(receiver.received) == 2 * answered + CHANNEL_CAP
        assert everything(tidings) == recorded

        # It works on.
        other.kill()
        tidings.contact(CHANNEL_CAP)
        tidings.settle()
        assert [each.outcomes for each in tell(tidings, receiver)].count(("succeeded",)) == len(RECEIVERS) + 1


def test_a_worker_frozen_before_it_knows_of_its_claim_sends_nothing_of_it(tidings, receiver):
    tidings.channels(receiver, "/quick", "contact.created")
    for number in range(CHANNEL_CAP):
        tidings.contact(number)
    claimed = len(RECEIVERS) * CHANNEL_CAP
    with commits_held_up(tidings):
        sleeper = tidings.worker(DELIVERY_CONCURRENCY="32")
        # Others wait as well, such as what reports the metrics.
        held_up = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query ~ '^\\s*WITH claimed'"
        wait_until(lambda: tidings.ask(held_up) == [(1,)], timeout=60)
        freeze(sleeper)
    # The claim is committed, and the sleeper has not been told.
    leased = f"SELECT count(*) FROM {DELIVERIES} WHERE lease_token IS NOT NULL"
    wait_until(lambda: tidings.ask(leased) == [(claimed,)])
    tidings.worker()
    tidings.settle()
    wake(sleeper)
    wait_until(lambda: tidings.log(sleeper).count("event='lease_ran_out'") == claimed)
    told = prove_nothing_is_lost(tidings, receiver, events=CHANNEL_CAP, channels=len(RECEIVERS))
    assert {(each.outcomes, each.arrivals) for each in told} == {(("unknown", "succeeded"), 1)}


@contextmanager
def commits_held_up(tidings: Installation) -> Iterator[None]:
    """Whoever commits waits for a copy of the database that does not exist, until the end of the block."""
    tidings.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    tidings.ask("SELECT pg_reload_conf()")
    try:
        wait_until(lambda: tidings.ask("SHOW synchronous_standby_names") == [("nobody",)])
        yield
    finally:
        tidings.ask("ALTER SYSTEM RESET synchronous_standby_names")
        tidings.ask("SELECT pg_reload_conf()")


def shaking_hands_later(tls: ssl.SSLContext, go_on: threading.Event, receiver):
    """A receiver that begins with the TLS handshake when it may go on; what it is sent counts as received."""

    @before_tls
    def behaviour(peer: Peer) -> None:
        go_on.wait(60)
        with tls.wrap_socket(peer.sock, server_side=True) as sock:
            insider = Peer(peer.server, sock)
            top, _, body = insider.read_request().partition(b"\r\n\r\n")
            pairs = (line.split(": ", 1) for line in top.decode().split("\r\n")[1:])
            event = {name.lower(): value for name, value in pairs}["webhook-id"]
            postbacks = receiver.by_kind["postback"]
            postbacks.received.append(Arrived("postback", "/unhurried", event, event, body.decode()))
            insider.send(head(200, "Content-Length: 0"))

    return behaviour


def lost_leases(log: str) -> int:
    """How many answers a worker wanted to record too late."""
    return sum(int(lost) for lost in re.findall(r"event='leases_lost' lost=(\d+)", log))


def everything(tidings):
    """All that is known of deliveries, attempts and the health of channels."""
    tables = (DELIVERIES, ATTEMPTS, "notifications_channelhealth", "notifications_channelhour")
    return {table: sorted(tidings.ask(f"SELECT row_to_json({table})::text FROM {table}")) for table in tables}
