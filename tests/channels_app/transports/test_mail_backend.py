"""Mail that Django sends goes as that of e-mail channels does: certificates, the limit, what is said of a failure."""

import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest
import trustme
from django.conf import settings
from django.core import mail
from django.core.mail import (
    EmailMessage,
    EmailMultiAlternatives,
    get_connection,
    mail_admins,
    send_mail,
    send_mass_mail,
)
from django.test import override_settings

from channels_app.transports.email.backend import MailNotSentError
from tests.api.test_settings import PRODUCTION, load
from tests.channels_app.transports.mailing import ADA, BOB, EVE, PASSWORD, SENDER, USER, every_stage, mail_goes_to
from tests.channels_app.transports.sending import NOISE
from tests.servers.hostile import hangs_after_accept, server_context, unaccepting_port
from tests.servers.mailserver import HostileMailServer, MailServer, closes, drips, hangs, speaks

SCHEMES = ["smtp+tls", "smtps", "smtp+ssl"]


@contextmanager
def email_url(tmp_path: Path, url: str, **others: str) -> Iterator[None]:
    """As a process that is started with this `EMAIL_URL` has it."""
    loaded = load(tmp_path, **PRODUCTION, EMAIL_URL=url, **others)
    names = [*(name for name in loaded if name.startswith("EMAIL_")), "EXTRA_CA_BUNDLE"]
    with override_settings(**{name: loaded[name] for name in names}, PUBLIC_URL="https://shop.example.com"):
        yield


def serving(scheme: str, context: ssl.SSLContext) -> MailServer:
    starttls = scheme == "smtp+tls"
    accounts = {USER: PASSWORD}
    return MailServer(starttls=context if starttls else None, tls=None if starttls else context, accounts=accounts)


def write(*to: str, **fields: Any) -> EmailMessage:
    return EmailMessage("Hello", "There.", f"Tidings <{SENDER}>", to or (ADA,), **fields)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_private_authority_is_known_by_extra_ca_bundle(
    tmp_path: Path, ca: trustme.CA, ca_bundle: Path, scheme: str
) -> None:
    with serving(scheme, server_context(ca, "127.0.0.1")) as server:
        url = f"{scheme}://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{server.port}"
        with email_url(tmp_path, url, EXTRA_CA_BUNDLE=str(ca_bundle)):
            assert send_mail("Hello", "There.", None, [ADA]) == 1
        with email_url(tmp_path, url), pytest.raises(MailNotSentError) as refused:
            send_mail("Hello", "There.", None, [ADA])

    (arrived,) = server.mails
    assert (arrived.recipients, arrived.user, arrived.over_tls) == ([ADA], USER, True)
    assert str(refused.value).startswith(
        "The certificate of 127.0.0.1 is not signed by a known authority; an operator can add one with EXTRA_CA_BUNDLE."
    )


def test_a_certificate_for_somebody_else_is_refused(tmp_path: Path, ca: trustme.CA, ca_bundle: Path) -> None:
    with serving("smtps", server_context(ca, "mail.example.com")) as server:
        url = f"smtps://127.0.0.1:{server.port}"
        with email_url(tmp_path, url, EXTRA_CA_BUNDLE=str(ca_bundle)), pytest.raises(MailNotSentError, match="valid"):
            write().send()

    assert server.mails == []


def test_everybody_gets_the_mail_and_nobody_sees_the_hidden_ones() -> None:
    message = EmailMultiAlternatives(
        "Größe", "Schöne Grüße", f"Müller <{SENDER}>", [f"Ada <{ADA}>"], cc=[BOB], bcc=["eve@bücher.example"]
    )
    message.attach_alternative("<p>Schöne Grüße</p>", "text/html")
    with MailServer() as server, mail_goes_to(server.port):
        assert message.send() == 1

    (arrived,) = server.mails
    assert (arrived.sender, arrived.recipients) == (SENDER, [ADA, BOB, "eve@xn--bcher-kva.example"])
    assert arrived.introduced_as == "shop.example.com"
    assert (arrived.message["Subject"], parseaddr(arrived.message["From"])) == ("Größe", ("Müller", SENDER))
    assert b"eve@" not in arrived.content
    assert arrived.content.isascii()
    body = arrived.message.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Schöne Grüße"


def test_each_of_several_mails_is_counted_and_one_to_nobody_is_not() -> None:
    with MailServer() as server, mail_goes_to(server.port):
        assert send_mass_mail([("A", "a", SENDER, [ADA]), ("B", "b", SENDER, []), ("C", "c", SENDER, [BOB])]) == 2
        with override_settings(ADMINS=[("Eve", EVE)]):
            mail_admins("D", "d")

    assert [arrived.recipients for arrived in server.mails] == [[ADA], [BOB], [EVE]]


def test_a_user_name_and_password_of_the_callers_own() -> None:
    with MailServer(accounts={"other": "secret"}) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        with pytest.raises(MailNotSentError, match="refused the user name and password"):
            write().send()
        assert send_mail("A", "a", SENDER, [ADA], auth_user="other", auth_password="secret") == 1

    assert [arrived.user for arrived in server.mails] == ["other"]


def test_what_is_refused_by_all_is_raised_and_by_some_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    refuse = {"RCPT": lambda address: None if address == ADA else "550 5.1.1 No such user"}
    with MailServer(refuse=refuse) as server, mail_goes_to(server.port):
        assert write(ADA, BOB).send() == 1
        with pytest.raises(smtplib.SMTPException, match=r"^eve@example\.com was refused: 550 5\.1\.1 No such user\.$"):
            write(EVE).send()
        assert write(EVE).send(fail_silently=True) == 0
        connection = get_connection(fail_silently=True)
        assert connection.send_messages([write(EVE), write(ADA)]) == 1

    assert [arrived.recipients for arrived in server.mails] == [[ADA], [ADA]]
    assert "bob@example.com was refused" in caplog.text


def test_a_line_break_in_a_header_is_no_second_header() -> None:
    with MailServer() as server, mail_goes_to(server.port), pytest.raises(mail.BadHeaderError):
        EmailMessage("Hello\nBcc: eve@example.com", "There.", SENDER, [ADA]).send()

    assert server.mails == []


@pytest.mark.slow
@every_stage
@pytest.mark.parametrize("action", [hangs, drips])
def test_a_server_that_hangs_or_drips_is_given_up_at_the_limit(stage: str, action: Any) -> None:
    behaviour = speaks({stage: action}, offers=["AUTH PLAIN"])
    with (
        HostileMailServer(behaviour) as server,
        mail_goes_to(server.port, user=USER, password=PASSWORD, EMAIL_TIMEOUT=0.5),
    ):
        began = time.monotonic()
        with pytest.raises(MailNotSentError, match=r"^The 0\.5 s for one attempt were over while "):
            write().send()

    assert time.monotonic() - began < 0.5 + NOISE


@pytest.mark.slow
def test_so_is_one_that_is_silent_from_the_start() -> None:
    with (
        HostileMailServer(hangs_after_accept) as server,
        mail_goes_to(server.port, tls="implicit", EMAIL_TIMEOUT=0.5),
        pytest.raises(MailNotSentError, match=r"over while agreeing on TLS\.$"),
    ):
        write().send()
    with unaccepting_port() as port, mail_goes_to(port, EMAIL_TIMEOUT=0.5):
        with pytest.raises(MailNotSentError, match=r"over while connecting\.$"):
            write().send()
        with pytest.raises(MailNotSentError, match=r"^The 0\.2 s "):
            write(connection=get_connection(timeout=0.2)).send()


def test_the_password_is_in_no_message_of_a_failure() -> None:
    with (
        MailServer(accounts={USER: "another"}) as server,
        mail_goes_to(server.port, user=USER, password=PASSWORD),
        pytest.raises(MailNotSentError) as refused,
    ):
        write().send()

    assert PASSWORD not in repr(refused.value)


def test_a_server_that_closes_is_named() -> None:
    with (
        HostileMailServer(speaks({"MAIL": closes})) as server,
        mail_goes_to(server.port),
        pytest.raises(MailNotSentError) as refused,
    ):
        write().send()

    assert str(refused.value) == f"127.0.0.1 port {server.port} closed the connection before it answered MAIL."


def test_ten_seconds_are_the_limit_unless_it_is_set() -> None:
    assert settings.EMAIL_TIMEOUT == 10
