"""A thousand clients that never come to an end keep the web process from nobody else."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from config.web import worker
from orders.models import Contact
from tests.config.serving import Server, allow_files, read_all, serving
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MANY = 1000
PATIENCE_SECONDS = 5
HEAD = b"POST /api/v1/contacts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LARGE = "/api/v1/openapi.json"
SENT_AT_FIRST = {
    "silent": b"",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: loc",
    "half a body": HEAD + b'Content-Length: 1000\r\n\r\n{"source": ',
    "half of the chunks": HEAD + b'Transfer-Encoding: chunked\r\n\r\nb\r\n{"source": \r\n40\r\n',
    "a head that drips": b"GET /healthz HTTP/1.1\r\nX: ",
    "a body that drips": HEAD + b"Content-Length: 100000\r\n\r\n",
    "slow readers": f"GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
}


@pytest.fixture(autouse=True)
def files() -> None:
    if not allow_files(MANY + 500):
        pytest.skip(f"The hard limit of open files of this machine is below {MANY + 500}.")


@contextmanager
def clients(
    server: Server, sent: bytes, *, dripping: bool, receive_buffer: int | None = None
) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this, and go on with a byte a second each where they drip."""
    stop = threading.Event()
    opened: list[socket.socket] = []

    def drip() -> None:
        while not stop.wait(1):
            for client in opened:
                with suppress(OSError):
                    client.send(b"x")

    try:
        for _ in range(MANY):
            opened.append(client := server.connect(receive_buffer=receive_buffer))
            client.sendall(sent)
        dripper = threading.Thread(target=drip)
        if dripping:
            dripper.start()
        yield opened
    finally:
        stop.set()
        if dripping:
            dripper.join()
        for client in opened:
            client.close()


@pytest.mark.parametrize("kind", list(SENT_AT_FIRST))
def test_a_thousand_slow_clients_keep_nobody_waiting(server: Server, key: dict[str, str], kind: str) -> None:
    small = 4096 if kind == "slow readers" else None
    with clients(server, SENT_AT_FIRST[kind], dripping="drips" in kind, receive_buffer=small):
        # The thousand answers themselves are work, and come first.
        assert server.request("GET", "/api/v1/products", headers=key, timeout=90)[0] == 200
        for number in range(20):
            assert server.request("GET", "/healthz", timeout=PATIENCE_SECONDS)[0] == 200
            contact = {"source": "shop", "email": f"{number}@example.com", "first_name": "A", "last_name": "B"}
            body = json.dumps(contact).encode()
            assert server.request("POST", "/api/v1/contacts", body, key, timeout=PATIENCE_SECONDS)[0] == 201
    assert Contact.objects.count() == 20


def test_each_has_a_time_after_which_it_is_told_and_closed(server: Server) -> None:
    """Not only one that is silent between two bytes: dripping ends no later."""
    silent, half, dripping = server.connect(), server.connect(), server.connect()
    half.sendall(SENT_AT_FIRST["half a head"])
    dripping.sendall(SENT_AT_FIRST["a head that drips"])

    def ended() -> bool:
        try:
            dripping.sendall(b"x")
        except OSError:
            return True
        return False

    wait_until(ended, timeout=worker.HEAD_SECONDS * 3, interval=0.5)
    assert read_all(silent) == b""
    answer = read_all(half)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 408
    for client in (silent, half, dripping):
        client.close()


def test_a_slow_reader_gets_the_whole_answer(server: Server) -> None:
    """What its client does not take is kept, whole and in order."""
    expected = server.request("GET", LARGE)[2]
    with server.connect(receive_buffer=4096) as client:
        client.sendall(f"GET {LARGE} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        received = bytearray()
        while piece := client.recv(3000):
            received += piece
    body = received.partition(b"\r\n\r\n")[2]
    assert len(body) == len(expected)  # the examples' ids differ from process to process
    assert json.loads(body)["paths"].keys() == json.loads(expected)["paths"].keys()


def test_where_there_are_more_than_a_process_takes_the_longest_go(
    server: Server, key: dict[str, str], subprocess_environment: dict[str, str]
) -> None:

    with (
        serving(subprocess_environment, "--workers", "1", "--worker-connections", "50") as small,
        clients(small, SENT_AT_FIRST["half a head"], dripping=False) as opened,
    ):
        assert small.request("GET", "/healthz", timeout=PATIENCE_SECONDS)[0] == 200
        assert opened[0].recv(100) == b""


def test_a_frozen_database_does_not_keep_supervisors_waiting(
    server: Server, subprocess_environment: dict[str, str], key: dict[str, str]
) -> None:
    """With every thread in a call that waits for PostgreSQL, the process still says that it is up, and not ready."""
    silent = socket.create_server(("127.0.0.1", 0))

    url = f"postgres://nobody:x@127.0.0.1:{silent.getsockname()[1]}/nothing"
    with (
        silent,
        serving(
            {**subprocess_environment, "DATABASE_URL": url}, "--workers", "1", "--graceful-timeout", "2"
        ) as cut_off,
    ):
        waiting = [cut_off.connect() for _ in range(30)]
        for client in waiting:
            client.sendall(b"GET /api/v1/products HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n")
        assert cut_off.request("GET", "/healthz", timeout=PATIENCE_SECONDS)[0] == 200
        for path in ("/readyz", "/healthz/deliveries"):
            for _ in range(3):  # with all others more than may wait at once
                status, _, body = cut_off.request("GET", path, timeout=PATIENCE_SECONDS * 2)
                assert status == 503
                assert "The database (DATABASE_URL)" in json.loads(body)["problems"][0]
        for client in waiting:
            client.close()


def test_a_database_that_refuses_is_told_at_once(
    subprocess_environment: dict[str, str], transactional_db: None
) -> None:

    environment = {**subprocess_environment, "DATABASE_URL": "postgres://nobody:x@127.0.0.1:1/nothing"}
    with serving(environment, "--workers", "1") as cut_off:
        status, _, body = cut_off.request("GET", "/readyz", timeout=PATIENCE_SECONDS * 2)
        assert (status, json.loads(body)["status"]) == (503, "unavailable")
        assert cut_off.request("GET", "/healthz")[0] == 200


def test_what_half_sent_bodies_hold_in_memory_is_bounded(
    server: Server, subprocess_environment: dict[str, str]
) -> None:
    half = HEAD + b"Content-Length: 2600000\r\n\r\n" + b"x" * 2_000_000
    with serving(subprocess_environment, "--workers", "1") as small:
        before = resident_bytes(small)
        opened = [small.connect() for _ in range(150)]
        for client in opened:
            with suppress(OSError):  # the first of them have been closed meanwhile
                client.sendall(half)
        assert small.request("GET", "/healthz", timeout=PATIENCE_SECONDS)[0] == 200
        assert resident_bytes(small) - before < 2 * worker.HELD_AT_MOST
        for client in opened:
            client.close()


def resident_bytes(server: Server) -> int:
    """Of the one worker process."""
    master = server.process.pid
    (pid,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
