"""Links to set a new password go out over a real mail server, or do not."""

import re
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from django.contrib.auth.models import User
from django.core.mail import mail_admins, send_mail
from django.db.models.functions import Now
from django.test import Client, override_settings

from backoffice.accounts.models import ResetRequest
from backoffice.accounts.tasks import send_password_links
from tests.backoffice.notifications_fixtures import url
from tests.backoffice.reading import text_of
from tests.channels_app.transports.conftest import ca, ca_bundle
from tests.channels_app.transports.mailing import mail_goes_to
from tests.channels_app.transports.sending import NOISE
from tests.servers.hostile import server_context, unaccepting_port
from tests.servers.mailserver import HostileMailServer, MailServer, closes, hangs, speaks

__all__ = ["ca", "ca_bundle"]


@pytest.fixture(autouse=True)
def ada(db, settings) -> User:
    settings.ALLOWED_HOSTS = ["*"]
    return User.objects.create_user("ada", "ada@example.com", "forgotten", is_staff=True)


def ask(email: str) -> str:
    """Ask for a link, do what a worker does then, and give the text of the page that follows."""
    browser = Client()
    answer: Any = browser.post(url("password_reset"), {"email": email})
    assert (answer.status_code, answer.url) == (302, url("password_reset_done"))
    send_password_links()
    return text_of(browser.get(answer.url))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_over_tls_with_a_private_authority(ca: trustme.CA, ca_bundle: Path, tls: Any) -> None:
    context = server_context(ca, "127.0.0.1")
    starttls = tls == "starttls"
    with MailServer(starttls=context if starttls else None, tls=None if starttls else context) as server:
        with mail_goes_to(server.port, tls=tls, EXTRA_CA_BUNDLE=str(ca_bundle)):
            told = ask("ada@example.com")
        (arrived,) = server.mails
        assert (arrived.recipients, arrived.over_tls) == (["ada@example.com"], True)
        assert re.search(r"https://shop\.example\.com/admin/password_reset/\S+", arrived.message.get_content())

        with mail_goes_to(server.port, tls=tls, EXTRA_CA_BUNDLE=""):
            assert ask("ada@example.com") == told == ask("nobody@example.com")
        assert len(server.mails) == 1


@pytest.mark.slow
@pytest.mark.parametrize("users", [1, 3])
def test_a_silent_mail_server_holds_up_a_worker_no_longer_than_the_limit(users: int) -> None:
    for number in range(1, users):
        User.objects.create_user(f"ada{number}", "ada@example.com", "forgotten")
    with HostileMailServer(speaks({"greeting": hangs})) as server, mail_goes_to(server.port, EMAIL_TIMEOUT=1.5):
        began = time.monotonic()
        told = ask("ada@example.com")
        took = time.monotonic() - began
        assert server.connections == 1

    assert 1.5 <= took < 1.5 + NOISE
    assert "If there is an account with this address, a link is sent to it." in told
    assert "If no mail comes, the mail server may be out of order: ask an administrator." in told


def test_all_users_of_an_address_get_their_link() -> None:
    User.objects.create_user("grace", "ada@example.com", "forgotten")
    with MailServer() as server, mail_goes_to(server.port):
        ask("ada@example.com")

    assert sorted(re.findall(r"for (\w+) at", "".join(mail.message.get_content() for mail in server.mails))) == [
        "ada",
        "grace",
    ]


@pytest.mark.parametrize("behaviour", [speaks({"RCPT": b"550 5.1.1 No such user\r\n"}), speaks({"EHLO": closes})])
def test_a_mail_server_that_refuses_or_closes_is_told_to_the_log_and_not_to_the_person(
    behaviour: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with HostileMailServer(behaviour) as server, mail_goes_to(server.port):
        told = ask("ada@example.com")
        logged = caplog.text
        assert told == ask("nobody@example.com")

    assert "password_reset_not_sent" in logged
    assert "127.0.0.1" in logged or "was refused" in logged
    assert "forgotten" not in logged


def test_a_mail_server_that_accepts_no_connection() -> None:
    with unaccepting_port() as port, mail_goes_to(port, EMAIL_TIMEOUT=0.3):
        assert "If there is an account" in ask("ada@example.com")


def test_what_could_not_be_sent_is_sent_later_three_times_in_all() -> None:
    with unaccepting_port() as port, mail_goes_to(port, EMAIL_TIMEOUT=0.3):
        ask("ada@example.com")
        assert send_password_links() == 0  # not at once
        ResetRequest.objects.update(due_at=Now())
        assert send_password_links() == 1
    ResetRequest.objects.update(due_at=Now())
    with MailServer() as server, mail_goes_to(server.port):
        assert send_password_links() == 1
        assert len(server.mails) == 1
        ResetRequest.objects.update(due_at=Now())
        assert send_password_links() == 0
    assert ResetRequest.objects.get().email == ""


def test_after_three_tries_it_is_given_up() -> None:
    with HostileMailServer(speaks({"RCPT": b"550 5.1.1 No such user\r\n"})) as server, mail_goes_to(server.port):
        ask("ada@example.com")
        for tried in (1, 1, 0):
            ResetRequest.objects.update(due_at=Now())
            assert send_password_links() == tried


def test_the_mail_says_of_itself_what_all_our_mails_say() -> None:
    with MailServer() as server, mail_goes_to(server.port):
        ask("ada@example.com")
        send_mail("Other", "Of somebody else", None, ["ada@example.com"])
        with override_settings(ADMINS=[("Ada", "ada@example.com")]):
            mail_admins("Error", "Something")
    assert len(server.mails) == 3
    for mail in server.mails:
        assert re.fullmatch(r"<\S+@shop\.example\.com>", mail.message["Message-ID"])
        assert parsedate_to_datetime(mail.message["Date"]).year >= 2026
        assert mail.message["Auto-Submitted"] == "auto-generated"
        assert mail.message["X-Auto-Response-Suppress"] == "All"
        assert [len(mail.message.get_all(name, [])) for name in ("Message-ID", "Date", "Auto-Submitted")] == [1, 1, 1]
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 3


def test_an_installation_that_sends_no_mail_says_so(settings) -> None:
    settings.PUBLIC_URL = "https://shop.example.com"
    settings.DEBUG = settings.DEMO = False
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    told = "This installation sends no mail ( EMAIL_URL names no server): ask an administrator for a new password."
    assert told in text_of(Client().get(url("password_reset")))
    assert told in ask("ada@example.com")
    assert "a link is sent" not in ask("ada@example.com")
