"""Standard Webhooks: its vectors, the negative cases of its libraries, and round trips with its Python package."""

import base64
import json
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from channels_app.transports import Message, Outcome
from channels_app.transports.http.client import Client
from channels_app.transports.postback.signature import new_secret, sign
from channels_app.verification.verify import verify as sample
from tests.channels_app.transports.sending import send
from tests.servers.hostile import HostileServer, Peer, head

# Secret, id, time stamp, body and signature: of the specification, and of the tests of its libraries.
VECTORS = [
    (
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
        "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    ),
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BARE_SECRET = SECRET.removeprefix("whsec_")
BODY = b'{"test": 2432232314}'
MESSAGE = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", BODY)
WRONG = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
TOLERANCE = timedelta(minutes=5)

Headers = dict[str, str]
bounded = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def keeps(peer: Peer) -> None:
    while True:
        peer.read_request()
        peer.send(head(200, "Content-Length: 2") + b"ok")


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer(keeps) as server:
        yield server


@pytest.fixture(scope="module")
def client() -> Client:
    return Client()


def sent(
    server: HostileServer,
    client: Client,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    message: Message = MESSAGE,
    now: datetime | None = None,
) -> tuple[Headers, bytes]:
    """The headers of Standard Webhooks and the body, as they arrive."""
    answer = send(server.url, secrets=secrets, message=message, now=now or datetime.now(UTC), through=client)
    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    raw, body = server.requests[-1]
    lines = [line.split(": ", 1) for line in raw.decode("latin-1").split("\r\n")[1:]]
    return {name: value for name, value in lines if name.startswith("webhook-")}, body


@pytest.mark.parametrize(("secret", "message_id", "timestamp", "body", "signature"), VECTORS)
def test_a_vector(secret: str, message_id: str, timestamp: int, body: bytes, signature: str) -> None:
    reference = Webhook(secret).sign(message_id, datetime.fromtimestamp(timestamp, UTC), body.decode())

    assert sign(secret, message_id, timestamp, body) == reference == signature


@pytest.mark.parametrize(("secret", "message_id", "timestamp", "body", "signature"), VECTORS)
def test_a_vector_as_it_is_sent(
    secret: str, message_id: str, timestamp: int, body: bytes, signature: str, server: HostileServer, client: Client
) -> None:
    moment = datetime.fromtimestamp(timestamp + 0.9, UTC)
    headers, arrived = sent(server, client, secrets=(secret,), message=Message(message_id, body), now=moment)

    assert headers == {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }
    assert arrived == body


@pytest.mark.parametrize("secret", [SECRET, BARE_SECRET], ids=["with its prefix", "without"])
def test_a_receiver_may_have_the_secret_with_or_without_its_prefix(
    secret: str, server: HostileServer, client: Client
) -> None:
    headers, body = sent(server, client)

    assert Webhook(secret).verify(body, headers) == {"test": 2432232314}


def test_the_headers_have_the_names_of_the_specification_and_no_brand(server: HostileServer, client: Client) -> None:
    headers, _ = sent(server, client)

    assert list(headers) == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    assert b"svix-" not in server.requests[-1][0].lower()


NEGATIVE = {
    "no id": {"webhook-id": None},
    "an empty id": {"webhook-id": ""},
    "another id": {"webhook-id": "msg_other"},
    "no time stamp": {"webhook-timestamp": None},
    "an empty time stamp": {"webhook-timestamp": ""},
    "a time stamp that is no number": {"webhook-timestamp": "hello"},
    "another time stamp": {"webhook-timestamp": "+1"},
    "no signature": {"webhook-signature": None},
    "an empty signature": {"webhook-signature": ""},
    "an invalid signature": {"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="},
    "a partial signature": {"webhook-signature": "[:11]"},
    "a version without a signature": {"webhook-signature": "v1,"},
    "the signature under another version": {"webhook-signature": "v2"},
    "wrong signatures": {"webhook-signature": f"v1,{WRONG} v2,{WRONG} v1,{WRONG}"},
    "no headers": {"webhook-id": None, "webhook-timestamp": None, "webhook-signature": None},
}


def changed(headers: Headers, changes: dict[str, str | None]) -> Headers:
    result = dict(headers)
    for name, value in changes.items():
        if value == "+1":
            result[name] = str(int(headers[name]) + 1)
        elif value == "[:11]":
            result[name] = headers[name][:11]
        elif value == "v2":
            result[name] = headers[name].replace("v1,", "v2,")
        elif value is None:
            del result[name]
        else:
            result[name] = value
    return result


@pytest.mark.parametrize("changes", NEGATIVE.values(), ids=NEGATIVE)
def test_a_postback_that_was_changed_is_refused(
    changes: dict[str, str | None], server: HostileServer, client: Client
) -> None:
    headers, body = sent(server, client)
    assert sample(SECRET, headers, body) is True

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, changed(headers, changes))
    assert sample(SECRET, changed(headers, changes), body) is False


@pytest.mark.parametrize("body", [b"", b'{"test": 2432232315}', BODY + b" ", BODY[:-1]])
def test_another_body_is_refused(body: bytes, server: HostileServer, client: Client) -> None:
    headers, _ = sent(server, client)

    with pytest.raises(WebhookVerificationError, match=r"^No matching signature found$"):
        Webhook(SECRET).verify(body, headers)
    assert sample(SECRET, headers, body) is False


@pytest.mark.parametrize(
    ("away", "complaint"),
    [
        (-TOLERANCE - timedelta(seconds=2), "Message timestamp too old"),
        (TOLERANCE + timedelta(seconds=10), "Message timestamp too new"),
    ],
)
def test_the_time_of_the_attempt_is_what_a_receiver_checks(
    away: timedelta, complaint: str, server: HostileServer, client: Client
) -> None:
    headers, body = sent(server, client, now=datetime.now(UTC) + away)

    with pytest.raises(WebhookVerificationError, match=f"^{complaint}$"):
        Webhook(SECRET).verify(body, headers)
    assert sample(SECRET, headers, body) is False


@pytest.mark.parametrize("away", [timedelta(minutes=-4), timedelta(0), timedelta(minutes=4)])
def test_a_retry_within_the_tolerance_is_believed(away: timedelta, server: HostileServer, client: Client) -> None:
    headers, body = sent(server, client, now=datetime.now(UTC) + away)

    assert Webhook(SECRET).verify(body, headers) == {"test": 2432232314}
    assert sample(SECRET, headers, body) is True


def test_of_several_signatures_one_has_to_be_right(server: HostileServer, client: Client) -> None:
    headers, body = sent(server, client)
    headers["webhook-signature"] = f"v1,{WRONG} v2,{WRONG} {headers['webhook-signature']} v1,{WRONG}"

    assert Webhook(SECRET).verify(body, headers) == {"test": 2432232314}
    assert sample(SECRET, headers, body) is True


def test_while_secrets_are_rotated_each_in_force_verifies_and_no_other(server: HostileServer, client: Client) -> None:
    secrets = tuple(new_secret() for _ in range(3))
    headers, body = sent(server, client, secrets=secrets)

    assert len(headers["webhook-signature"].split(" ")) == 3
    for secret in secrets:
        assert Webhook(secret).verify(body, headers) == {"test": 2432232314}
    with pytest.raises(WebhookVerificationError, match=r"^No matching signature found$"):
        Webhook(new_secret()).verify(body, headers)


text = st.text(st.characters(codec="utf-8"))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
ids = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=40)
keys = st.binary(min_size=24, max_size=64)


@bounded
@example(data={"name": "Zoë \u2028 \U0001f600 \x00"}, message_id="evt_1", key=bytes(32))
@given(data=anything, message_id=ids, key=keys)
def test_whatever_json_is_sent_is_verified_and_read_as_it_was(
    data: object, message_id: str, key: bytes, server: HostileServer, client: Client
) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps(data, ensure_ascii=False).encode()
    headers, arrived = sent(server, client, secrets=(secret,), message=Message(message_id, body))

    assert arrived == body
    assert headers["webhook-id"] == message_id
    assert Webhook(secret).verify(arrived, headers) == data
    assert sample(secret, headers, arrived) is True


@bounded
@example(body="\r\n\r\nPOST / HTTP/1.1\r\n\r\n")
@given(body=st.text(st.characters(codec="utf-8"), min_size=1))
def test_whatever_text_is_sent_is_verified_byte_for_byte(body: str, server: HostileServer, client: Client) -> None:
    headers, arrived = sent(server, client, message=Message("evt_1", body.encode()))

    assert arrived == body.encode()
    assert Webhook(SECRET).verify(arrived, headers, json_parse=False) is None


def test_no_text_at_all_is_sent_and_verified(server: HostileServer) -> None:
    client = Client()
    for _ in range(2):  # over a new connection, and over a kept one
        headers, arrived = sent(server, client, message=Message("evt_1", b""))

        assert arrived == b""
        assert Webhook(SECRET).verify(arrived, headers, json_parse=False) is None


@bounded
@given(message_id=ids, timestamp=st.integers(0, 2**33), body=text, key=keys)
def test_we_sign_as_the_package_does(message_id: str, timestamp: int, body: str, key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    moment = datetime.fromtimestamp(timestamp, UTC)

    assert sign(secret, message_id, timestamp, body.encode()) == Webhook(secret).sign(message_id, moment, body)
