"""What the web process makes of HTTP, started as the README says."""

import itertools
import json
import signal
import socket
import threading

import pytest

from orders.models import Contact
from tests.config.serving import Server, read_all, serving
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def contact(number: int, *, padding: int = 0) -> bytes:
    body = {"source": "shop", "email": f"buyer{number}@example.com", "first_name": "Ada", "last_name": "Byron"}
    return json.dumps(body).encode() + b" " * padding


def in_chunks(body: bytes, size: int = 7) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;why=because\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nX-Checksum: x\r\n\r\n"


def head(key: dict[str, str], *more: str, method: str = "POST") -> bytes:
    lines = [f"{method} /api/v1/contacts HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in key.items()), *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_one_connection_serves_many_requests_also_pipelined_and_in_pieces(server: Server) -> None:
    with server.connect() as client:
        for piece in (GET[:10], GET[10:], GET + GET + b"\r\n" + LAST):
            client.sendall(piece)
        assert read_all(client).count(b'{"status": "ok"}') == 4


def test_a_chunked_body_is_read_as_any_other(server: Server, key: dict[str, str]) -> None:
    with server.connect() as client:
        sent = head(key, "Transfer-Encoding: chunked") + in_chunks(contact(1))
        for at in range(0, len(sent), 50):
            client.sendall(sent[at : at + 50])
        client.sendall(LAST)
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert answer.endswith(b'{"status": "ok"}')
    assert list(Contact.objects.values_list("email", flat=True)) == ["buyer1@example.com"]


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nxx\r\n0\r\n\r\n",
        b"2\r\nxxyy\r\n0\r\n\r\n",
        b"-1\r\n\r\n0\r\n\r\n",
        b"2;\x01\r\nxx\r\n0\r\n\r\n",
        b"1" * 9000,
        b"0\r\nbad trailer\r\n\r\n",
    ],
)
def test_broken_chunks_are_refused_and_the_connection_ends(server: Server, key: dict[str, str], body: bytes) -> None:
    answer = server.says(head(key, "Transfer-Encoding: chunked") + body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nContent-Type: application/problem+json\r\n" in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: nonsense\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: nonsense\r\n\r\n", 417),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 900_000, 431),
    ],
)
def test_what_is_no_request_is_refused_as_a_problem(server: Server, sent: bytes, status: int) -> None:
    answer = server.says(sent + GET)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    told, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/problem+json" in told
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize("length", [256 * 1024 + 1, 3 * 1024 * 1024, 10**15])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_refused_by_the_api(
    server: Server, key: dict[str, str], length: int, chunked: bool
) -> None:
    """Also while the client goes on sending, whom a reset would keep from reading why."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    body = b" " * min(length, 3 * 1024 * 1024)
    sent = head(key, framing) + (in_chunks(body, 60_000) if chunked else body)
    answer = server.says(sent)
    told, _, problem = answer.partition(b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413 ")
    assert json.loads(problem)["status"] == 413


@pytest.mark.django_db(transaction=True)
def test_a_body_that_is_too_long_is_refused_everywhere(subprocess_environment: dict[str, str]) -> None:
    """With DEBUG, which needs no collected files for its pages."""
    with serving({**subprocess_environment, "DEBUG": "1"}) as server:
        for path, chunked, length in itertools.product(
            ("/admin/login/", "/nowhere/", "/healthz"), (False, True), (512 * 1024 + 1, 2 * 1024 * 1024, 10**15)
        ):
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
            body = b" " * min(length, 2 * 1024 * 1024)
            line = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n{framing}\r\n\r\n"
            answer = server.says(line.encode() + (in_chunks(body, 60_000) if chunked else body))
            assert answer.startswith(b"HTTP/1.1 413 "), (path, chunked, length, answer[:200])
            assert b"<h1>This is too much at once</h1>" in answer


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_what_the_server_itself_refuses_has_the_headers_too(server: Server, sent: bytes) -> None:
    told, _, problem = server.says(sent).partition(b"\r\n\r\n")
    names = {line.partition(b":")[0] for line in told.split(b"\r\n")}
    assert json.loads(problem)["status"] in {400, 414}
    assert names >= {b"Permissions-Policy", b"Cross-Origin-Resource-Policy", b"Content-Security-Policy"}
    assert names >= {b"X-Content-Type-Options", b"X-Frame-Options", b"Referrer-Policy"}


def test_a_body_up_to_the_limit_is_taken(server: Server, key: dict[str, str]) -> None:
    body = contact(1)
    body += b" " * (256 * 1024 - len(body))
    status, _, _ = server.request("POST", "/api/v1/contacts", body, key)
    assert status == 201


def test_who_asks_before_sending_the_body_is_told_to_once(server: Server, key: dict[str, str]) -> None:
    body = contact(1)
    with server.connect() as client:
        client.sendall(head(key, "Expect: 100-continue", f"Content-Length: {len(body)}", "Connection: close"))
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 201 ")


def test_an_unread_body_does_not_become_the_next_request(server: Server) -> None:
    smuggled = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    sent = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(smuggled), smuggled)
    answer = server.says(sent + LAST)
    assert (answer.count(b"HTTP/1.1 200"), answer.count(b'"problems"')) == (2, 0)


def test_a_proxy_says_whether_it_was_https(transactional_db: None, subprocess_environment: dict[str, str]) -> None:
    environment = {**subprocess_environment, "PUBLIC_URL": "https://localhost", "TRUSTED_PROXY_COUNT": "1"}
    with serving(environment) as server:
        proxied = {"X-Forwarded-Proto": "https", "Host": "localhost", "X-Forwarded-For": "192.0.2.1"}
        assert "Strict-Transport-Security" in server.request("GET", "/healthz", headers=proxied)[1]
        assert "Strict-Transport-Security" not in server.request("GET", "/healthz", headers={"Host": "localhost"})[1]
        assert server.request("GET", "/metrics", headers=proxied)[0] == 403


def test_sigterm_ends_it_in_order_although_silent_connections_are_open(
    transactional_db: None, subprocess_environment: dict[str, str], key: dict[str, str]
) -> None:
    """What has begun is answered; those who say nothing are not waited for."""
    with serving(subprocess_environment) as server:
        silent = [server.connect() for _ in range(50)]
        begun = server.connect()
        body = contact(1)
        begun.sendall(head(key, f"Content-Length: {len(body)}") + body[:-1])
        idle = server.connect()
        idle.sendall(GET)
        assert idle.recv(10_000).startswith(b"HTTP/1.1 200")
        server.process.send_signal(signal.SIGTERM)
        begun.sendall(body[-1:])
        assert begun.recv(10_000).startswith(b"HTTP/1.1 201 ")
        wait_until(lambda: server.process.poll() is not None, timeout=20)
        assert server.process.returncode == 0
        for client in (*silent, begun, idle):
            client.close()


def test_many_at_once_are_all_answered(server: Server, key: dict[str, str]) -> None:
    statuses: list[int] = []

    def call(number: int) -> None:
        statuses.append(server.request("POST", "/api/v1/contacts", contact(number), key)[0])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 60


def test_a_client_that_goes_before_its_answer_harms_nobody(server: Server, key: dict[str, str]) -> None:
    for number in range(50):
        body = contact(number)
        with server.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
            client.sendall(head(key, f"Content-Length: {len(body)}") + body)
    wait_until(lambda: Contact.objects.count() == 50)
    assert server.request("GET", "/healthz")[0] == 200
