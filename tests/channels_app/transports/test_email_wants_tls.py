"""`smtp://` to a server that takes nothing in clear: the sentence says what EMAIL_URL is to be."""

from typing import Any

import pytest

from channels_app.transports import Outcome
from tests.channels_app.transports.mailing import ADA, PASSWORD, USER, mail_goes_to, send_mail
from tests.servers.mailserver import HostileMailServer, speaks

STARTTLS = "It wants TLS: an operator must let EMAIL_URL begin with smtp+tls://."
EITHER = "It wants TLS: an operator must let EMAIL_URL begin with smtp+tls:// or smtps://."


@pytest.mark.parametrize(
    ("stage", "reply", "hint"),
    [
        ("MAIL", "530 5.7.0 Must issue a STARTTLS command first", STARTTLS),
        ("MAIL", "530 5.7.0 Must issue a STARTTLS command first. abc-123 - gsmtp", STARTTLS),
        ("MAIL", "451 4.7.1 Please use TLS", EITHER),
        ("EHLO", "530 5.7.0 must issue a starttls command first", STARTTLS),
        ("MAIL", "523 Encryption needed", EITHER),
        ("MAIL", "554 5.7.10 Encryption needed", EITHER),
        ("MAIL", "550 5.7.1 TLS is required", EITHER),
        ("RCPT", "530 5.7.0 Must issue a STARTTLS command first", STARTTLS),
        ("DATA", "530 5.7.0 Must issue a STARTTLS command first", STARTTLS),
        ("message", "554 5.7.0 This server requires TLS", EITHER),
        ("AUTH", "538 5.7.11 Encryption required for requested authentication mechanism", EITHER),
        ("AUTH", "530 5.7.0 Must issue a STARTTLS command first", STARTTLS),
    ],
)
def test_a_refusal_for_want_of_tls_says_what_to_change(stage: str, reply: str, hint: str) -> None:
    at = {stage: f"{reply}\r\n".encode()}
    if stage == "EHLO":
        at["HELO"] = at["EHLO"]
    credentials: Any = {"user": USER, "password": PASSWORD} if stage == "AUTH" else {}
    with HostileMailServer(speaks(at, offers=["AUTH PLAIN"])) as server, mail_goes_to(server.port, **credentials):
        answer = send_mail(ADA)

    assert (answer.outcome, answer.status_code) == (Outcome.REFUSED, int(reply[:3]))
    assert answer.error.endswith(f"{reply.removesuffix('.')}. {hint}")
    assert "mend" not in answer.error


def test_a_server_that_offers_starttls_is_asked_for_it() -> None:
    at = {"MAIL": b"550 5.7.1 TLS is required\r\n"}
    with HostileMailServer(speaks(at, offers=["STARTTLS"])) as server, mail_goes_to(server.port):
        assert send_mail(ADA).error.endswith(STARTTLS)


def test_who_may_not_sign_in_before_tls_is_told_so() -> None:
    with (
        HostileMailServer(speaks(offers=["STARTTLS"])) as server,
        mail_goes_to(server.port, user=USER, password=PASSWORD),
    ):
        answer = send_mail(ADA)
    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == (
        f"127.0.0.1 port {server.port} takes no user name and password before STARTTLS; an operator must let EMAIL_URL "
        "begin with smtp+tls://."
    )
    assert "AUTH" not in " ".join(server.commands)


@pytest.mark.parametrize(
    "reply", ["530 5.7.0 Authentication required", "550 5.7.1 No", "454 4.7.0 TLS not available", "535 5.7.8 Wrong"]
)
def test_other_refusals_do_not(reply: str) -> None:
    with HostileMailServer(speaks({"MAIL": f"{reply}\r\n".encode()})) as server, mail_goes_to(server.port):
        assert "TLS:" not in send_mail(ADA).error


def test_inside_tls_it_would_be_of_no_use() -> None:
    at = {"STARTTLS": b"530 5.7.0 Must issue a STARTTLS command first\r\n"}
    with (
        HostileMailServer(speaks(at, offers=["STARTTLS"])) as server,
        mail_goes_to(server.port, tls="starttls"),
    ):
        assert "wants TLS" not in send_mail(ADA).error
