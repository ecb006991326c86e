"""Signing in at a mail server: each way, what is refused, and where the password must not turn up."""

import base64
import hmac

import pytest
import trustme
from django.core.exceptions import ImproperlyConfigured

from channels_app.transports import Answer, Outcome
from channels_app.transports.email.mailserver import MailServer as Named
from channels_app.transports.rules import MASK
from tests.channels_app.transports.mailing import ADA, BOB, PASSWORD, USER, mail_goes_to, meets, send_mail
from tests.channels_app.transports.sending import resolver
from tests.servers.hostile import server_context
from tests.servers.mailserver import HostileMailServer, MailServer, speaks

NAME = "mail.example.com"
HERE = resolver(["127.0.0.1"])


def sends(port: int) -> Answer:
    """By STARTTLS."""
    with mail_goes_to(port, NAME, tls="starttls", user=USER, password=PASSWORD):
        return send_mail(ADA, BOB, resolve=HERE)


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ("PLAIN", [f"AUTH PLAIN {in_base64(f'{chr(0)}{USER}{chr(0)}{PASSWORD}')}"]),
        ("LOGIN", ["AUTH LOGIN", in_base64(USER), in_base64(PASSWORD)]),
        (
            "CRAM-MD5",
            ["AUTH CRAM-MD5", in_base64(f"{USER} {hmac.new(PASSWORD.encode(), b'<1@x>', 'md5').hexdigest()}")],
        ),
        ("GSSAPI LOGIN PLAIN", [f"AUTH PLAIN {in_base64(f'{chr(0)}{USER}{chr(0)}{PASSWORD}')}"]),
    ],
)
def test_each_way_to_sign_in(offered: str, said: list[str], ca: trustme.CA) -> None:
    challenges = [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"]
    if offered == "CRAM-MD5":
        challenges = [f"334 {in_base64('<1@x>')}\r\n".encode()]
    replies = [*challenges[: len(said) - 1], b"235 2.7.0 Welcome\r\n"]
    behaviour = speaks({"AUTH": replies}, starttls=server_context(ca, NAME), offers=[f"AUTH {offered}"])
    with HostileMailServer(behaviour) as server:
        answer = sends(server.port)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert server.commands[3 : 3 + len(said)] == said


def test_a_password_of_other_letters() -> None:
    accounts = {"zoë": "pässwörd 🎉"}
    with MailServer(accounts=accounts) as server, mail_goes_to(server.port, user="zoë", password="pässwörd 🎉"):
        answer = send_mail()

    assert (answer.outcome, server.mails[0].user) == (Outcome.SUCCEEDED, "zoë")


def test_a_server_that_takes_the_password_only_when_it_asks_for_it() -> None:
    behaviour = speaks({"AUTH": [b"334 \r\n", b"235 Welcome\r\n"]}, offers=["AUTH PLAIN"])
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        answer = send_mail()

    assert answer.outcome == Outcome.SUCCEEDED, answer.error


def test_without_tls_the_password_is_not_sent_where_that_can_be_helped() -> None:
    challenge = f"334 {in_base64('<1@x>')}\r\n".encode()
    behaviour = speaks({"AUTH": [challenge, b"235 Welcome\r\n"]}, offers=["AUTH PLAIN LOGIN CRAM-MD5"])
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        answer = send_mail()

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert in_base64(PASSWORD) not in " ".join(server.commands)
    assert server.commands[1] == "AUTH CRAM-MD5"


def test_where_one_way_does_not_work_the_next_is_tried() -> None:
    replies = [b"535 5.7.8 No such hash\r\n", b"504 5.5.4 Not today\r\n", b"334 VXNlcjo=\r\n", b"334 UGFzczo=\r\n"]
    behaviour = speaks({"AUTH": [*replies, b"235 Welcome\r\n"]}, offers=["AUTH PLAIN LOGIN CRAM-MD5"])
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        answer = send_mail()

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert [command.split()[:2] for command in server.commands if command.startswith("AUTH")] == [
        ["AUTH", "CRAM-MD5"],
        ["AUTH", "PLAIN"],
        ["AUTH", "LOGIN"],
    ]


def test_a_wrong_password_is_tried_once(ca: trustme.CA) -> None:
    """Servers count how often."""
    behaviour = speaks(
        {"AUTH": b"535 5.7.8 Wrong\r\n"}, starttls=server_context(ca, NAME), offers=["AUTH PLAIN LOGIN CRAM-MD5"]
    )
    with HostileMailServer(behaviour) as server:
        answer = sends(server.port)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, 535, False)
    assert len([command for command in server.commands if command.startswith("AUTH")]) == 1


def test_a_wrong_password_at_a_proper_server(ca: trustme.CA) -> None:
    with MailServer(starttls=server_context(ca, NAME), accounts={USER: "another"}) as server:
        answer = sends(server.port)

    assert (answer.outcome, answer.status_code, answer.retry) == (Outcome.REFUSED, 535, False)
    assert answer.error == (
        f"{NAME} port {server.port} refused the user name and password: "
        "535 5.7.8 Authentication credentials invalid. An operator must mend EMAIL_URL."
    )
    assert server.mails == []


@pytest.mark.parametrize("offers", [["AUTH XOAUTH2 GSSAPI"], ["AUTH=XOAUTH2"]])
def test_a_server_that_offers_no_way_to_sign_in_that_we_know(offers: list[str]) -> None:
    with HostileMailServer(speaks(offers=offers)) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        answer = send_mail()

    assert (answer.outcome, answer.retry) == (Outcome.CONNECTION_ERROR, None)
    assert answer.error == (
        f"127.0.0.1 port {server.port} offers none of the ways to sign in that Tidings knows (CRAM-MD5, PLAIN, LOGIN)."
    )
    assert "AUTH" not in " ".join(server.commands)


@pytest.mark.parametrize("reply", [b"334 ***\r\n", b"334 a\r\n"])
def test_a_challenge_that_is_none(reply: bytes) -> None:
    behaviour = speaks({"AUTH": reply}, offers=["AUTH CRAM-MD5"])
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        answer = send_mail()

    assert answer.outcome == Outcome.PROTOCOL_ERROR
    assert answer.error.startswith(f"127.0.0.1 port {server.port} answered AUTH with ")
    assert PASSWORD not in repr(answer)


@pytest.mark.parametrize(
    "echo",
    [
        PASSWORD,
        in_base64(PASSWORD),
        in_base64(f"\0{USER}\0{PASSWORD}"),
        in_base64(f"\0{USER}\0{PASSWORD}")[:-5],
        in_base64(PASSWORD)[:9],
    ],
)
@pytest.mark.parametrize("stage", ["AUTH", "MAIL", "RCPT", "message"])
def test_a_password_that_a_server_sends_back_is_left_out(echo: str, stage: str) -> None:
    answer, _ = meets(stage, f"550 You said {echo} to me\r\n".encode())

    assert answer.status_code == 550
    assert f"550 You said {MASK} to me." in answer.error
    assert echo not in repr(answer)


def test_a_password_is_in_no_text_that_our_objects_make_of_themselves() -> None:
    with mail_goes_to(25, user=USER, password=PASSWORD):
        assert PASSWORD not in repr(Named.of_settings())


def test_both_kinds_of_tls_at_once_are_for_an_operator_to_mend() -> None:
    both = mail_goes_to(25, EMAIL_USE_TLS=True, EMAIL_USE_SSL=True)
    with both, pytest.raises(ImproperlyConfigured, match="it can be one only"):
        send_mail()


@pytest.mark.parametrize(("tls", "port"), [("", 25), ("starttls", 25), ("implicit", 465)])
def test_the_usual_port(tls: str, port: int) -> None:
    with mail_goes_to(0, tls=tls, EMAIL_PORT=None):  # type: ignore[arg-type]
        named = Named.of_settings()

    assert named is not None
    assert named.port == port
