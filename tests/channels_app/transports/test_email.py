"""What is sent to whom, against a proper mail server, and what the log is told."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.core.mail import BadHeaderError
from django.test import override_settings

from channels_app.transports import Answer, Destination, Message, Outcome
from channels_app.transports.email.mailserver import our_domain
from channels_app.transports.email.transport import EmailTransport
from tests.channels_app.transports.mailing import ADA, BOB, EVE, NOTICE, SENDER, mail_goes_to, send_mail
from tests.channels_app.transports.sending import NOW, resolver
from tests.servers.hostile import PAUSE, HostileServer, Peer
from tests.servers.mailserver import HostileMailServer, MailServer, speaks


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_one_mail_goes_to_all_recipients() -> None:
    with MailServer() as server, mail_goes_to(server.port):
        answer = send_mail(ADA, BOB, EVE)

    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == (SENDER, [ADA, BOB, EVE])
    assert mail.message["To"] == "ada@example.com, bob@example.com, eve@example.com"
    assert mail.message["From"] == "Tidings <tidings@shop.example.com>"
    assert mail.message["Subject"] == NOTICE.title
    assert mail.message["Message-ID"] == "<dlv_1@shop.example.com>"
    assert answer == Answer(
        Outcome.SUCCEEDED,
        url=f"smtp://127.0.0.1:{server.port}",
        status_code=250,
        request_headers={
            "From": "Tidings <tidings@shop.example.com>",
            "To": "ada@example.com, bob@example.com, eve@example.com",
            "Subject": "Order 1001 is complete",
            "Message-ID": "<dlv_1@shop.example.com>",
        },
        response_headers={ADA: "250 2.1.5 OK", BOB: "250 2.1.5 OK", EVE: "250 2.1.5 OK"},
        response_body="250 2.0.0 OK: queued as 1",
        connection=answer.connection,
        reached=(ADA, BOB, EVE),
    )


def test_those_who_have_it_get_it_no_more() -> None:
    with MailServer() as server, mail_goes_to(server.port):
        answer = send_mail(ADA, BOB, EVE, reached=("ADA@Example.com", EVE))

    (mail,) = server.mails
    assert (mail.recipients, mail.message["To"]) == ([BOB], BOB)
    assert (answer.outcome, answer.reached, answer.error) == (Outcome.SUCCEEDED, (BOB,), "")


def test_where_all_have_it_nothing_is_sent() -> None:
    with HostileServer(lambda peer: None) as server, mail_goes_to(server.port):
        answer = send_mail(ADA, BOB, reached=(BOB, ADA.upper()))
        assert server.connections == 0

    assert answer == Answer(Outcome.SUCCEEDED, error="Nothing was sent: all who are recipients by now have it.")


def test_the_message_id_is_the_same_on_every_attempt() -> None:
    with MailServer() as server, mail_goes_to(server.port):
        for _ in range(3):
            send_mail(ADA)

    assert [mail.message["Message-ID"] for mail in server.mails] == ["<dlv_1@shop.example.com>"] * 3


@pytest.mark.parametrize(
    ("public_url", "sender", "domain"),
    [
        ("https://tidings.example.com", "Tidings <t@mail.example.net>", "tidings.example.com"),
        ("https://tidings.example.com:8443/below", "t@mail.example.net", "tidings.example.com"),
        ("", "Tidings <t@mail.example.net>", "mail.example.net"),
        ("", "t@localhost", "localhost"),
        ("https://bücher.example", "t@mail.example.net", "xn--bcher-kva.example"),
        ("", "Tidings <t@bücher.example>", "xn--bcher-kva.example"),
        ("http://127.0.0.1:8000", "t@mail.example.net", "127.0.0.1"),
        ("http://[::1]:8000", "t@mail.example.net", "[::1]"),
        ("https://-ü-.example", "t@mail.example.net", "mail.example.net"),
    ],
)
def test_the_domain_of_a_message_id(public_url: str, sender: str, domain: str) -> None:
    with override_settings(PUBLIC_URL=public_url, DEFAULT_FROM_EMAIL=sender):
        assert our_domain() == domain


@pytest.mark.parametrize(
    ("public_url", "name"),
    [
        ("https://shop.example.com", "shop.example.com"),
        ("http://localhost:8000", "[127.0.0.1]"),
        ("http://10.1.2.3", "[127.0.0.1]"),
    ],
)
def test_we_introduce_ourselves_by_our_domain_or_address(public_url: str, name: str) -> None:
    with MailServer() as server, mail_goes_to(server.port, PUBLIC_URL=public_url):
        send_mail()

    assert server.mails[0].introduced_as == name


@pytest.mark.skipif(not _has_ipv6(), reason="This machine has no IPv6 loopback.")
def test_a_server_with_an_ipv6_address() -> None:
    with MailServer(host="::1") as server, mail_goes_to(server.port, "::1", PUBLIC_URL="http://localhost:8000"):
        answer = send_mail()

    assert (answer.outcome, answer.url) == (Outcome.SUCCEEDED, f"smtp://[::1]:{server.port}")
    assert answer.connection.address == "::1"
    assert server.mails[0].introduced_as == "[IPv6:::1]"


def test_a_server_by_name_wherever_it_leads_to() -> None:
    """The operator has named it: addresses that are not public are no reason to refuse it."""
    resolve = resolver(["127.0.0.1"])
    with MailServer() as server, mail_goes_to(server.port, "mail.example.com", POSTBACK_ALLOWED_NETWORKS=[]):
        answer = send_mail(resolve=resolve)

    assert (answer.outcome, answer.url) == (Outcome.SUCCEEDED, f"smtp://mail.example.com:{server.port}")
    assert resolve.asked == ["mail.example.com"]


def test_other_letters_arrive_whole_at_a_server_that_takes_ascii_only() -> None:
    paragraphs = ("Grüße 🎉 an Zoë", ".", ".. and two dots", "From here on", "x" * 3000)
    notice = replace(NOTICE, title="Zoë 🎉 has paid — ¡olé!", paragraphs=paragraphs)
    with MailServer(withheld=["8BITMIME", "SMTPUTF8"]) as server, mail_goes_to(server.port):
        answer = send_mail(notice=notice)

    (mail,) = server.mails
    assert mail.content.isascii()
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998
    assert mail.content.count(b"\n") == mail.content.count(b"\r") == mail.content.count(b"\r\n")
    assert mail.message["Subject"] == "Zoë 🎉 has paid — ¡olé!"
    assert answer.request_headers["Subject"] == "Zoë 🎉 has paid — ¡olé!"
    for kind in ("plain", "html"):
        part = mail.message.get_body((kind,))
        assert part is not None
        assert all(paragraph in part.get_content() for paragraph in paragraphs)


def test_lines_of_a_dot_are_doubled_and_line_ends_are_those_of_smtp() -> None:
    notice = replace(NOTICE, paragraphs=("before", ".", "...", "lone\rreturn", "after"))
    with HostileMailServer(speaks()) as server, mail_goes_to(server.port):
        send_mail(notice=notice)

    (content,) = server.contents
    assert b"\r\n..\r\n" in content
    assert b"\r\n....\r\n" in content
    assert b"\r\n.\r\n" not in content
    assert content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
    assert [command.split()[0] for command in server.commands] == [
        "ehlo", "MAIL", "RCPT", "DATA", "message", "QUIT",
    ]  # fmt: skip


def test_the_size_is_told_to_a_server_that_wants_to_know() -> None:
    with HostileMailServer(speaks(offers=["SIZE 1000000"])) as server, mail_goes_to(server.port):
        send_mail()

    (content,) = server.contents
    assert f"MAIL FROM:<{SENDER}> SIZE={len(content)}" in server.commands


def test_a_server_that_knows_no_ehlo() -> None:
    with HostileMailServer(speaks({"EHLO": b"502 5.5.2 What\r\n"})) as server, mail_goes_to(server.port):
        answer = send_mail()

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert server.commands[:2] == ["ehlo shop.example.com", "helo shop.example.com"]


def test_the_sender_of_an_international_domain_is_written_in_ascii() -> None:
    sender = "Bücher <post@bücher.example>"
    with MailServer() as server, mail_goes_to(server.port, DEFAULT_FROM_EMAIL=sender):
        answer = send_mail()

    assert answer.outcome == Outcome.SUCCEEDED, answer.error
    assert server.mails[0].sender == "post@xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["a.b+c@example.com", '"two words"@example.com', '"<x>@y, z"@example.com'])
def test_unusual_addresses_are_taken_as_they_are(address: str) -> None:
    with HostileMailServer(speaks()) as server, mail_goes_to(server.port):
        answer = send_mail(ADA, address)

    assert answer.reached == (ADA, address)
    assert f"RCPT TO:<{address}>" in server.commands


@pytest.mark.parametrize("address", ["ada@example.com\r\nRCPT TO:<eve@example.com>", "ada\n@example.com"])
def test_no_line_break_gets_through_to_a_server(address: str) -> None:
    with HostileMailServer(speaks()) as server, mail_goes_to(server.port):
        with pytest.raises(BadHeaderError):
            send_mail(BOB, address)
        assert server.connections == 0


def test_each_phase_is_timed_up_to_the_greeting() -> None:
    pause = 10 * PAUSE

    def greets_late(peer: Peer) -> None:
        peer.server.stopped.wait(pause)
        speaks()(peer)

    with HostileMailServer(greets_late) as server, mail_goes_to(server.port, "mail.example.com"):
        way = send_mail(resolve=resolver(["127.0.0.1"])).connection

    assert (way.address, way.kept, way.sent_again, way.tls_ms) == ("127.0.0.1", False, False, None)
    assert way.lookup_ms is not None
    assert way.connect_ms is not None
    assert way.first_byte_ms is not None
    # The pause begins when the server accepts, which may be before the client has noticed. Each is rounded.
    assert way.connect_ms + way.first_byte_ms >= 1000 * pause - 2


def test_mails_go_side_by_side() -> None:
    """From as many threads as there are recipients, each mail whole and once."""
    addresses = [f"reader{number}@example.com" for number in range(24)]
    with MailServer() as server, mail_goes_to(server.port), ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send_mail, addresses))

    assert [answer.outcome for answer in answers] == [Outcome.SUCCEEDED] * 24
    assert sorted(mail.recipients for mail in server.mails) == sorted([address] for address in addresses)
    assert all(mail.message["To"] == mail.recipients[0] for mail in server.mails)


def test_a_message_without_words_is_our_own_fault() -> None:
    with HostileMailServer(speaks()) as server, mail_goes_to(server.port):
        with pytest.raises(ValueError, match="no words"):
            EmailTransport().send(
                Destination("email", "", recipients=(ADA,)), Message("evt_1", b""), now=NOW, timeout=1
            )
        assert server.connections == 0
