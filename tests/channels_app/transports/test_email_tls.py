"""TLS from STARTTLS on and from the start, certificates, and signing in."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from django.test import override_settings

from channels_app.transports import Answer, Outcome
from channels_app.transports.net.faults import CAME_ALONE
from tests.channels_app.transports.mailing import ADA, BOB, PASSWORD, USER, mail_goes_to, send_mail
from tests.channels_app.transports.sending import resolver
from tests.servers.hostile import Peer, drips_handshake, hangs_after_accept, server_context
from tests.servers.mailserver import (
    HostileMailServer,
    MailServer,
    closes,
    drips,
    hangs,
    in_order,
    never_ends,
    resets,
    speaks,
)

NAME = "mail.example.com"
HERE = resolver(["127.0.0.1"])
WAYS = ["starttls", "implicit"]
either_way = pytest.mark.parametrize("tls", WAYS)


def serving(tls: str, context: ssl.SSLContext, **options: Any) -> MailServer:
    from_the_start = tls == "implicit"
    return MailServer(starttls=None if from_the_start else context, tls=context if from_the_start else None, **options)


def sends(port: int, tls: str = "starttls", **options: Any) -> Answer:
    with mail_goes_to(port, NAME, tls=tls, user=USER, password=PASSWORD):  # type: ignore[arg-type]
        return send_mail(ADA, BOB, resolve=HERE, **options)


def agrees(peer: Peer) -> None:
    peer.send(b"220 2.0.0 Go ahead\r\n")


@either_way
def test_a_good_certificate(tls: str, ca: trustme.CA) -> None:
    with serving(tls, server_context(ca, NAME), accounts={USER: PASSWORD}) as server:
        answer = sends(server.port, tls)

    assert (answer.outcome, answer.error) == (Outcome.SUCCEEDED, "")
    assert answer.url == f"smtp://{NAME}:{server.port}"
    assert answer.connection.tls_ms is not None
    (mail,) = server.mails
    assert (mail.over_tls, mail.user, mail.recipients) == (True, USER, [ADA, BOB])


@either_way
def test_the_name_is_told_and_no_protocol_of_http(tls: str, ca: trustme.CA) -> None:
    """A mail server may refuse a client that says it speaks HTTP (ALPN)."""
    context = server_context(ca, NAME)
    context.set_alpn_protocols(["http/1.1"])
    asked: list[tuple[str | None, ssl.SSLObject | ssl.SSLSocket]] = []
    context.sni_callback = lambda sock, name, ctx: asked.append((name, sock))
    with serving(tls, context, accounts={USER: PASSWORD}) as server:
        answer = sends(server.port, tls)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    name, sock = asked[-1]
    assert (name, sock.selected_alpn_protocol()) == (NAME, None)


@either_way
def test_an_expired_certificate(tls: str, ca: trustme.CA) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(NAME, not_before=yesterday - timedelta(days=9), not_after=yesterday).configure_cert(context)
    with serving(tls, context, accounts={USER: PASSWORD}) as server:
        answer = sends(server.port, tls)

    assert (answer.outcome, answer.retry) == (Outcome.CONNECTION_ERROR, None)
    assert answer.error == f"The certificate of {NAME} has expired."
    assert server.mails == []


@either_way
def test_a_certificate_of_a_foreign_authority_until_an_operator_adds_that(tls: str, ca: trustme.CA) -> None:
    with serving(tls, server_context(ca, NAME), accounts={USER: PASSWORD}) as server:
        with override_settings(EXTRA_CA_BUNDLE=""):
            refused = sends(server.port, tls)
        assert server.mails == []
        accepted = sends(server.port, tls)

    assert (refused.outcome, refused.retry) == (Outcome.CONNECTION_ERROR, None)
    assert refused.error == (
        f"The certificate of {NAME} is not signed by a known authority; an operator can add one with EXTRA_CA_BUNDLE. "
        f"{CAME_ALONE}"
    )
    assert accepted.outcome == Outcome.SUCCEEDED


@either_way
def test_a_certificate_for_another_name(tls: str, ca: trustme.CA) -> None:
    with serving(tls, server_context(ca, "other.example.com"), accounts={USER: PASSWORD}) as server:
        answer = sends(server.port, tls)

    assert (answer.outcome, answer.error) == (Outcome.CONNECTION_ERROR, f"The certificate is not valid for {NAME}.")
    assert server.mails == []


def test_no_password_goes_to_a_server_whose_starttls_was_taken_away() -> None:
    """A man in the middle does that."""
    with HostileMailServer(speaks(offers=["AUTH PLAIN LOGIN CRAM-MD5"])) as server:
        answer = sends(server.port)

    assert (answer.outcome, answer.retry) == (Outcome.CONNECTION_ERROR, None)
    assert answer.error == (
        f"{NAME} port {server.port} offers no STARTTLS, which EMAIL_URL asks for (smtp+tls); "
        "neither password nor message was sent."
    )
    assert server.commands == ["ehlo shop.example.com", "QUIT"]


def test_what_is_offered_before_tls_counts_no_more_after_it(ca: trustme.CA) -> None:
    replies = [b"250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", b"250 mail.test\r\n"]
    with HostileMailServer(speaks({"EHLO": replies}, starttls=server_context(ca, NAME))) as server:
        answer = sends(server.port)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == (
        f"{NAME} port {server.port} takes no user name and password (it offers no AUTH); "
        "an operator must mend EMAIL_URL."
    )
    assert server.commands == ["ehlo shop.example.com", "STARTTLS", "ehlo shop.example.com", "QUIT"]


def test_what_is_said_in_clear_after_starttls_is_not_taken_for_an_answer(ca: trustme.CA) -> None:
    """A man in the middle could put his own replies before those of the server."""
    injected = b"220 Go ahead\r\n250-evil.test\r\n250 AUTH PLAIN\r\n235 Welcome\r\n"
    behaviour = speaks({"STARTTLS": injected}, starttls=server_context(ca, NAME), offers=["AUTH LOGIN"])
    with HostileMailServer(behaviour) as server:
        answer = sends(server.port)

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert server.commands[1:4] == ["STARTTLS", "ehlo shop.example.com", "AUTH LOGIN"]


@pytest.mark.slow
def test_a_server_that_hangs_in_the_handshake() -> None:
    with HostileMailServer(speaks({"STARTTLS": in_order(agrees, hangs)}, offers=["STARTTLS"])) as server:
        answer = sends(server.port, timeout=1.0)

    assert answer.outcome == Outcome.TIMEOUT
    assert answer.error == "The 1 s for one attempt were over while agreeing on TLS."


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", [hangs_after_accept, drips_handshake])
def test_a_server_that_hangs_or_drips_in_the_handshake_from_the_start(behaviour: Callable[[Peer], None]) -> None:
    with HostileMailServer(behaviour) as server:
        answer = sends(server.port, "implicit", timeout=1.0)

    assert answer.outcome == Outcome.TIMEOUT
    assert answer.error == "The 1 s for one attempt were over while agreeing on TLS."
    assert answer.connection.connect_ms is not None
    assert answer.connection.first_byte_ms is None


@pytest.mark.slow
@pytest.mark.parametrize(("action", "doing"), [(hangs, "waiting for"), (drips, "reading")])
def test_a_server_that_hangs_or_drips_inside_tls(action: Callable[[Peer], None], doing: str, ca: trustme.CA) -> None:
    with HostileMailServer(speaks({"MAIL": action}, offers=["AUTH PLAIN"]), tls=server_context(ca, NAME)) as server:
        answer = sends(server.port, "implicit", timeout=1.0)

    assert answer.outcome == Outcome.TIMEOUT
    assert answer.error == f"The 1 s for one attempt were over while {doing} the answer to MAIL."


@pytest.mark.parametrize("action", [closes, resets])
@pytest.mark.parametrize("stage", ["EHLO", "MAIL", "message"])
def test_a_server_that_hangs_up_inside_tls(action: Callable[[Peer], None], stage: str, ca: trustme.CA) -> None:
    with HostileMailServer(speaks({stage: action}, offers=["AUTH PLAIN"]), tls=server_context(ca, NAME)) as server:
        answer = sends(server.port, "implicit")

    assert answer.outcome == Outcome.CONNECTION_ERROR
    before = "to the message" if stage == "message" else stage
    assert answer.error.startswith(f"{NAME} port {server.port} closed the connection before it answered {before}.")


def test_a_reply_without_end_inside_tls(ca: trustme.CA) -> None:
    with HostileMailServer(speaks({"EHLO": never_ends}), tls=server_context(ca, NAME)) as server:
        answer = sends(server.port, "implicit")

    assert (answer.outcome, answer.error) == (Outcome.PROTOCOL_ERROR, "The answer to EHLO is larger than 64 KiB.")


def test_a_server_that_hangs_up_after_it_agreed_to_starttls() -> None:
    with HostileMailServer(speaks({"STARTTLS": agrees}, offers=["STARTTLS"])) as server:
        answer = sends(server.port)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"{NAME} port {server.port} closed the connection during the TLS handshake."


def test_a_server_that_goes_on_in_clear_after_it_agreed_to_starttls() -> None:
    def in_clear(peer: Peer) -> None:
        agrees(peer)
        peer.sock.recv(65536)
        peer.send(b"500 5.5.2 What do you mean\r\n")

    with HostileMailServer(speaks({"STARTTLS": in_clear}, offers=["STARTTLS"])) as server:
        answer = sends(server.port)

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == f"{NAME} port {server.port} does not speak TLS; it offers STARTTLS in vain."


def test_tls_from_the_start_at_a_port_that_begins_in_clear() -> None:
    with HostileMailServer(speaks()) as server:
        answer = sends(server.port, "implicit")

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert answer.error == (
        f"{NAME} port {server.port} does not speak TLS; EMAIL_URL may have to begin with smtp+tls:// or smtp://."
    )


def test_a_server_that_wants_a_certificate_of_ours(ca: trustme.CA) -> None:
    context = server_context(ca, NAME)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    with HostileMailServer(speaks(), tls=context) as server:
        answer = sends(server.port, "implicit")

    assert answer.outcome == Outcome.CONNECTION_ERROR
    assert server.commands == []
