"""Mail servers whose replies never end, that talk nonsense or hang up, at every stage."""

import socket
import tracemalloc
from collections.abc import Callable

import pytest

from channels_app.transports import Outcome
from channels_app.transports.net.lookup import Lookups
from tests.channels_app.transports.mailing import STAGES, every_stage, mail_goes_to, meets, send_mail, told
from tests.servers.hostile import Peer, refusing_port
from tests.servers.mailserver import (
    HostileMailServer,
    begins_and_closes,
    closes,
    in_order,
    never_ends,
    never_ends_a_line,
    resets,
    speaks,
)

# Size


@every_stage
@pytest.mark.parametrize("action", [never_ends, never_ends_a_line])
def test_a_reply_without_end_is_cut(stage: str, action: Callable[[Peer], None]) -> None:
    answer, _ = meets(stage, action)

    assert (answer.outcome, answer.retry) == (Outcome.PROTOCOL_ERROR, None)
    assert answer.error == told(stage, f"The {STAGES[stage].removeprefix('the ')} is larger than 64 KiB.")
    assert answer.response_body == ""


def test_a_reply_without_end_takes_little_memory() -> None:
    with HostileMailServer(speaks({"EHLO": never_ends})) as server, mail_goes_to(server.port):
        send_mail()  # what is loaded once
        tracemalloc.start()
        try:
            answer = send_mail()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert answer.outcome == Outcome.PROTOCOL_ERROR
    assert peak < 2 * 1024 * 1024


def test_a_long_reply_within_bounds_is_taken() -> None:
    lines = b"".join(b"250-EXTENSION%d\r\n" % number for number in range(2000))
    answer, _ = meets("EHLO", lines + b"250 AUTH PLAIN\r\n")

    assert answer.outcome == Outcome.SUCCEEDED, answer.error


# Nonsense


@every_stage
def test_a_server_that_speaks_something_else(stage: str) -> None:
    answer, server = meets(stage, b"HTTP/1.1 400 Bad \x00 Request\r\nServer: nginx\r\n\r\n")

    says = "greets us" if stage == "greeting" else f"answered {STAGES[stage].removeprefix('the answer to ')}"
    sentence = (
        f"127.0.0.1 port {server.port} {says} with “HTTP/1.1 400 Bad \N{REPLACEMENT CHARACTER} Request”, "
        "which is not SMTP."
    )
    assert (answer.outcome, answer.retry) == (Outcome.PROTOCOL_ERROR, None)
    assert answer.error == told(stage, sentence)
    assert "QUIT" not in server.commands


@pytest.mark.parametrize(
    "reply",
    [
        b"\r\n",
        b"250OK\r\n",
        b"25\r\n",
        b"25 0\r\n",
        b" 250 OK\r\n",
        b"+25 OK\r\n",
        b"2_5 OK\r\n",
        b"\xd9\xa2\xd9\xa5\xd9\xa0 OK\r\n",
        b"150 Wait\r\n",
        b"650 OK\r\n",
        b"250-OK\r\nand so on\r\n",
        b"\x00\x01\x02\r\n",
    ],
)
def test_what_is_no_reply(reply: bytes) -> None:
    answer, server = meets("MAIL", reply)

    assert answer.outcome == Outcome.PROTOCOL_ERROR
    assert answer.error.startswith(f"127.0.0.1 port {server.port} answered MAIL with “")
    assert answer.error.endswith("”, which is not SMTP.")


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("greeting", "250 Hello"),
        ("EHLO", "354 Go ahead"),
        ("AUTH", "334 Z28gb24="),
        ("MAIL", "354 Go ahead"),
        ("RCPT", "354 Go ahead"),
        ("DATA", "250 OK"),
        ("message", "354 Go ahead"),
    ],
)
def test_a_reply_that_is_none_to_what_was_asked(stage: str, reply: str) -> None:
    answer, server = meets(stage, f"{reply}\r\n".encode())

    says = "greets us" if stage == "greeting" else f"answered {STAGES[stage].removeprefix('the answer to ')}"
    assert (answer.outcome, answer.reached) == (Outcome.PROTOCOL_ERROR, ())
    assert answer.error == told(stage, f"127.0.0.1 port {server.port} {says} with {reply}, which is not SMTP.")


@pytest.mark.parametrize("reply", [b"250\r\n", b"250 \r\n", b"250 OK\n", b"200 OK\r\n", b"250-one\r\n251 two\r\n"])
def test_what_is_a_reply(reply: bytes) -> None:
    answer, _ = meets("MAIL", reply)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error


# The end of the connection


@every_stage
@pytest.mark.parametrize("action", [closes, resets, begins_and_closes])
def test_a_server_that_hangs_up(stage: str, action: Callable[[Peer], None]) -> None:
    answer, server = meets(stage, action)

    sentence = {
        "greeting": "closed the connection before it answered.",
        "message": "closed the connection before it answered to the message.",
    }.get(stage, f"closed the connection before it answered {stage}.")
    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.CONNECTION_ERROR, None, None)
    assert answer.error == told(stage, f"127.0.0.1 port {server.port} {sentence}")
    assert answer.reached == ()


@pytest.mark.parametrize("reply", [b"250 2.0.0 OK: queued", b"250"])
def test_a_last_line_that_is_cut_off_counts(reply: bytes) -> None:
    """It says enough, and what was taken is not to be sent twice."""
    answer, _ = meets("message", in_order(lambda peer: peer.send(reply), closes))

    assert (answer.outcome, answer.response_body) == (Outcome.SUCCEEDED, reply.decode())


def test_a_server_that_is_not_there() -> None:
    with refusing_port() as port, mail_goes_to(port):
        answer = send_mail()

    assert (answer.outcome, answer.retry) == (Outcome.CONNECTION_ERROR, None)
    assert answer.error == f"Nothing listens on 127.0.0.1 port {port}."
    assert answer.url == f"smtp://127.0.0.1:{port}"


def test_a_name_that_nobody_knows() -> None:
    def unknown(*args: object, **options: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with mail_goes_to(25, "mail.example.com"):
        answer = send_mail(resolve=Lookups(threads=1, getaddrinfo=unknown))

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, "No name server knows mail.example.com.")
