"""What a receiver gets."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from django.conf import settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from channels_app.transports import TRANSPORTS, Message, Outcome
from channels_app.transports.postback.signature import new_secret
from tests.channels_app.transports.sending import BODY, NOW, SECRET, send
from tests.servers.hostile import HostileServer, Peer, answers, head, sends, server_context


def headers_of(request: tuple[bytes, bytes]) -> dict[str, str]:
    _, *lines = request[0].decode("latin-1").split("\r\n")
    assert len({line.partition(":")[0].lower() for line in lines}) == len(lines), "a header is sent twice"
    return dict(line.split(": ", 1) for line in lines)


def test_a_postback_is_one_post_of_exact_bytes_and_headers() -> None:
    with HostileServer(answers()) as server:
        answer = send(server.url + "?a=b", headers={"X-Tenant": "acme"})

    assert answer.outcome == Outcome.SUCCEEDED
    [(sent_head, sent_body)] = server.requests
    assert sent_body == BODY
    assert sent_head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    headers = headers_of(server.requests[0])
    signature = headers.pop("webhook-signature")
    assert signature.startswith("v1,")
    assert headers == {
        "Host": f"127.0.0.1:{server.port}",
        "User-Agent": f"Tidings/{settings.VERSION}",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(BODY)),
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "X-Tenant": "acme",
    }


def test_the_answer_records_the_headers_as_sent_without_the_values_of_the_channels_own() -> None:
    with HostileServer(answers()) as server:
        answer = send(server.url, headers={"Authorization": "Bearer hush", "accept-encoding": "gzip"})

    sent = headers_of(server.requests[0])
    assert (sent["Authorization"], sent["accept-encoding"]) == ("Bearer hush", "gzip")
    assert answer.request_headers == {**sent, "Authorization": "********", "accept-encoding": "********"}
    assert "hush" not in repr(answer)


def test_a_receiver_that_sends_the_channels_own_headers_back_does_not_bring_them_into_the_log() -> None:
    echo = b"you said Bearer hush-hush-hush, token hush-hush-hush of acme" + b"x" * 100
    with HostileServer(answers(200, echo, "X-Echo: Bearer hush-hush-hush", "X-Token: hush-hush-hush")) as server:
        answer = send(server.url, headers={"Authorization": "Bearer hush-hush-hush", "X-Tenant": "acme"})

    assert "hush" not in repr(answer)
    assert answer.response_headers["X-Echo"] == "********"
    assert answer.response_headers["X-Token"] == "********"
    # A short word would stand for itself anywhere else, too.
    assert answer.response_body == "you said ********, token ******** of acme" + "x" * 100


@pytest.mark.parametrize(
    "echo",
    [
        pytest.param(b'{"token": "c2VjcmV0\\/a2V5c2VjcmV0=="}', id="JSON with escaped slashes"),
        pytest.param(b'{"token": "c2VjcmV0/a2V5c2VjcmV0=="}', id="JSON"),
        pytest.param(b"x" * 900 + b"c2VjcmV0/a2V5c2V", id="a body that ends within it"),
    ],
)
def test_a_credential_that_is_sent_back_is_masked_in_whatever_way_it_is_written(echo: bytes) -> None:
    long = "f" * 1020 + "c2VjcmV0/a2V5c2VjcmV0=="
    with HostileServer(answers(200, echo, f"X-Long: {long}")) as server:
        answer = send(server.url, headers={"X-Token": "c2VjcmV0/a2V5c2VjcmV0=="})

    assert answer.outcome == Outcome.SUCCEEDED
    assert "c2VjcmV0" not in repr(answer)
    assert "********" in answer.response_body
    assert answer.response_headers["X-Long"] == "f" * 1020 + "****"


def test_what_an_accept_header_says_is_no_credential() -> None:
    with HostileServer(answers(200, b"application/json", "Content-Type: application/json")) as server:
        answer = send(server.url, headers={"Accept": "application/json"})

    assert answer.response_headers["Content-Type"] == "application/json"
    assert answer.response_body == "application/json"


def test_the_reference_library_verifies_what_arrives() -> None:
    with HostileServer(answers()) as server:
        send(server.url, now=datetime.now(UTC))

    assert Webhook(SECRET).verify(server.requests[0][1], headers_of(server.requests[0])) == json.loads(BODY)


def test_while_a_secret_is_rotated_both_verify() -> None:
    new, old = new_secret(), new_secret()
    with HostileServer(answers()) as server:
        send(server.url, secrets=(new, old), now=datetime.now(UTC))

    headers = headers_of(server.requests[0])
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert Webhook(new).verify(BODY, headers) == Webhook(old).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_without_a_secret_nothing_is_sent() -> None:
    with HostileServer(answers()) as server, pytest.raises(ValueError, match="no signing secret"):
        send(server.url, secrets=())

    assert server.connections == 0


@pytest.mark.parametrize(
    ("url", "headers", "sentence"),
    [
        ("ftp://127.0.0.1:{port}/", {}, "The URL must begin with https:// or http://."),
        ("http://127.0.0.1:{port}/", {"Host": "x"}, "The header Host is set by Tidings and cannot be given."),
    ],
)
def test_a_channel_that_breaks_the_rules_is_not_called(url: str, headers: dict[str, str], sentence: str) -> None:
    with HostileServer(answers()) as server:
        answer = send(url.format(port=server.port), headers=headers)

    assert (answer.outcome, answer.error) == (Outcome.BLOCKED, sentence)
    assert server.connections == 0


def test_the_environment_and_netrc_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with HostileServer(answers()) as server:
        answer = send(server.url)

    assert answer.outcome == Outcome.SUCCEEDED
    assert "Authorization" not in headers_of(server.requests[0])


def test_cookies_are_not_kept() -> None:
    with HostileServer(answers(200, b"", "Set-Cookie: a=b; Path=/")) as server:
        send(server.url)
        send(server.url)

    assert len(server.requests) == 2
    assert "Cookie" not in headers_of(server.requests[1])


def test_a_redirect_is_not_followed() -> None:
    with HostileServer(answers()) as other, HostileServer(answers(307, b"", f"Location: {other.url}")) as server:
        answer = send(server.url)

    assert answer.outcome == Outcome.HTTP_ERROR
    assert answer.error == "The receiver answered 307 Temporary Redirect; redirects are not followed."
    assert answer.response_headers["Location"] == other.url
    assert (len(server.requests), other.connections) == (1, 0)


def test_an_unavailable_receiver_is_called_once() -> None:
    with HostileServer(sends(head(503, "Retry-After: 0", "Content-Length: 0"))) as server:
        assert send(server.url).retry_after == 0.0

    assert server.connections == 1


@pytest.mark.slow
@pytest.mark.parametrize("encrypted", [False, True], ids=["tcp", "tls"])
def test_sixty_four_threads_send_at_once_and_get_their_own_answers(encrypted: bool, ca: trustme.CA) -> None:
    def echo(peer: Peer) -> None:
        body = peer.read_request().partition(b"\r\n\r\n")[2]
        peer.send(head(200, f"Content-Length: {len(body)}") + body)

    tls = server_context(ca, "127.0.0.1") if encrypted else None
    with HostileServer(echo, tls=tls) as server, ThreadPoolExecutor(64) as threads:
        messages = [Message(f"evt_{number}", f"body {number}".encode()) for number in range(256)]
        texts = list(threads.map(lambda message: send(server.url, message=message).response_body, messages))

    assert texts == [f"body {number}" for number in range(256)]
    assert server.connections == 256


def test_postback_is_a_registered_kind() -> None:
    assert (TRANSPORTS["postback"].kind, TRANSPORTS["postback"].label) == ("postback", "Postback")
