"""Mail servers that hang or drip at every stage: an attempt ends by its deadline, and says where."""

import threading
import time
from functools import partial

import pytest

from channels_app.transports import Answer, Outcome
from channels_app.transports.email.mailserver import MailServer
from channels_app.transports.email.outcomes import of_failure
from channels_app.transports.email.smtp import Session
from channels_app.transports.net.deadline import Exchange
from channels_app.transports.net.dialing import Dialer
from channels_app.transports.net.lookup import Lookups
from tests.channels_app.transports.mailing import (
    ADA,
    BOB,
    PASSWORD,
    STAGES,
    USER,
    every_stage,
    mail_goes_to,
    meets,
    send_mail,
    told,
)
from tests.channels_app.transports.sending import NOISE, cut_while, resolver
from tests.servers.hostile import Peer, unaccepting_port
from tests.servers.mailserver import (
    Action,
    HostileMailServer,
    closes,
    drips,
    hangs,
    in_order,
    never_ends,
    resets,
    speaks,
)

pytestmark = pytest.mark.slow  # each waits for the end of a deadline


def cut_at(stage: str, action: Action, doing: str) -> Answer:
    """What a server that does `action` at `stage` makes of an attempt."""
    return cut_while(doing, lambda seconds: meets(stage, action, timeout=seconds)[0], 1.0, partial(told, stage))


@every_stage
def test_a_server_that_hangs(stage: str) -> None:
    answer = cut_at(stage, hangs, f"waiting for {STAGES[stage]}")

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.TIMEOUT, None, None)
    assert answer.reached == ()


@every_stage
def test_a_server_that_drips(stage: str) -> None:
    answer = cut_at(stage, drips, f"reading {STAGES[stage]}")

    assert answer.reached == ()


def test_a_server_that_drips_proper_replies_all_the_way() -> None:
    """Each of them in time, all of them together not."""

    def drips_lines(peer: Peer) -> None:
        peer.drip([b"220 mail.test\r\n"])
        for _ in range(100):
            peer.sock.recv(1000)
            peer.drip(bytes([each]) for each in b"250 2.0.0 All right so far\r\n")

    with HostileMailServer(drips_lines) as server, mail_goes_to(server.port):
        answer = send_mail(timeout=1.0)

    assert answer.outcome == Outcome.TIMEOUT
    assert answer.error.startswith("The 1 s for one attempt were over while reading the answer to ")


def test_a_server_that_hangs_with_the_second_recipient() -> None:
    answer, server = meets("RCPT", in_order(lambda peer: peer.send(b"250 OK\r\n"), hangs), ADA, BOB, timeout=1.0)

    assert answer.outcome == Outcome.TIMEOUT
    assert answer.error == "The 1 s for one attempt were over while waiting for the answer to RCPT."
    assert (answer.reached, server.contents) == ((), [])


def test_a_server_that_hangs_while_it_is_told_the_password() -> None:
    behaviour = speaks({"AUTH": [b"334 VXNlcm5hbWU6\r\n", hangs]}, offers=["AUTH LOGIN"])
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        cut_while("waiting for the answer to AUTH", lambda seconds: send_mail(timeout=seconds), seconds=1.0)


def test_a_server_that_does_not_read_the_message() -> None:
    """It is larger than what the network takes in before."""
    with HostileMailServer(speaks({"DATA": in_order(lambda peer: peer.send(b"354 Go ahead\r\n"), hangs)})) as server:
        exchange = Exchange(1.0)
        session = Session(MailServer("127.0.0.1", server.port), Dialer(exchange, resolver(), None), domain="a.example")
        session.start()
        session.offer("tidings@a.example", [ADA], size=1)
        began = time.monotonic()
        with pytest.raises(OSError) as raised:
            session.deliver((b"x" * 998 + b"\r\n") * 20_000)
        judgement = of_failure(raised.value, session)
        assert time.monotonic() - began < 1 + NOISE
        session.close()

    assert judgement.outcome == Outcome.TIMEOUT
    assert judgement.sentence == "The 1 s for one attempt were over while sending the message."


def test_a_name_that_no_name_server_answers_for() -> None:
    never = threading.Event()
    silent = Lookups(threads=1, getaddrinfo=lambda *args, **options: [never.wait(20)])
    with mail_goes_to(25, "mail.example.com"):
        over = send_mail(timeout=1.0, resolve=silent)
        in_vain = send_mail(resolve=silent, lookup_seconds=0.2)
    never.set()

    assert (over.outcome, over.error) == (
        Outcome.TIMEOUT,
        "The 1 s for one attempt were over while looking up the name.",
    )
    assert (in_vain.outcome, in_vain.error) == (
        Outcome.CONNECTION_ERROR,
        "No name server answered for mail.example.com in time.",
    )


def test_a_server_that_accepts_no_connection() -> None:
    with unaccepting_port() as port, mail_goes_to(port):
        over = send_mail(timeout=1.0)
        in_vain = send_mail(connect_seconds=0.2)

    assert (over.outcome, over.error) == (Outcome.TIMEOUT, "The 1 s for one attempt were over while connecting.")
    assert (in_vain.outcome, in_vain.retry, in_vain.error) == (
        Outcome.CONNECTION_ERROR,
        None,
        f"127.0.0.1 port {port} did not accept a connection in time.",
    )


@pytest.mark.parametrize(
    "action", [hangs, drips, closes, resets, never_ends, b"what?\r\n", b"554 No, stay\r\n", b"421 Bye\r\n"]
)
def test_what_a_server_says_to_our_leave_matters_no_more(action: Action) -> None:
    began = time.monotonic()
    answer, server = meets("QUIT", action)

    assert (answer.outcome, answer.status_code, answer.error, answer.reached) == (Outcome.SUCCEEDED, 250, "", (ADA,))
    assert answer.response_body == "250 2.0.0 OK: queued as 1"
    assert server.commands[-1] == "QUIT"
    assert time.monotonic() - began < 1 + NOISE


def test_a_deadline_that_ends_with_the_last_reply_changes_nothing() -> None:
    with HostileMailServer(speaks({"QUIT": hangs})) as server, mail_goes_to(server.port):
        answer = send_mail(timeout=0.5)

    assert (answer.outcome, answer.reached) == (Outcome.SUCCEEDED, (ADA,))
