"""What the doctor says of the mail server: it greets it, signs in and leaves, and sends nothing."""

import pytest
from pytest_django import Settings

from config.doctor import mail
from tests.channels_app.transports.mailing import PASSWORD, USER, mail_goes_to
from tests.config.doctor.looking import look
from tests.servers.mailserver import HostileMailServer, MailServer, speaks


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy with other tests."""
    monkeypatch.setattr(mail, "GREETING_SECONDS", 30.0)


def test_a_server_that_lets_us_sign_in_is_well_and_is_sent_nothing() -> None:
    with MailServer(accounts={USER: PASSWORD}) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        assert look("mail") == [("ok", f"127.0.0.1 port {server.port} greets us and lets us sign in.", "")]
        assert server.mails == []


def test_the_session_ends_where_a_mail_would_begin() -> None:
    with HostileMailServer(speaks()) as server, mail_goes_to(server.port):
        assert look("mail") == [("ok", f"127.0.0.1 port {server.port} greets us.", "")]
    assert [command.split()[0].upper() for command in server.commands] == ["EHLO", "QUIT"]


def test_a_wrong_password_is_a_fault() -> None:
    with MailServer(accounts={USER: "another"}) as server, mail_goes_to(server.port, user=USER, password=PASSWORD):
        ((status, says, do),) = look("mail")
    assert status == "fault"
    assert "refused the user name and password" in says
    assert PASSWORD not in says + do
    assert do == "Mend EMAIL_URL, or the mail server."


@pytest.mark.parametrize(
    ("greeting", "sentence"),
    [
        (b"554 5.7.1 Not you\r\n", "takes no mail: 554 5.7.1 Not you."),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "which is not SMTP."),
    ],
)
def test_a_server_that_takes_no_mail_is_a_fault(greeting: bytes, sentence: str) -> None:
    with HostileMailServer(speaks({"greeting": greeting})) as server, mail_goes_to(server.port):
        ((status, says, _),) = look("mail")
    assert status == "fault"
    assert says.endswith(sentence)


def test_a_silent_server_is_a_fault_by_its_own_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "GREETING_SECONDS", 3.0)
    with HostileMailServer(speaks({"greeting": lambda peer: peer.hang()})) as server, mail_goes_to(server.port):
        ((status, says, _),) = look("mail")
    assert status == "fault"
    assert "waiting for the greeting" in says


def test_a_way_that_is_not_encrypted_is_a_warning_unless_it_is_within_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "is_here", lambda _host: False)
    with HostileMailServer(speaks()) as server, mail_goes_to(server.port):
        ((status, says, do),) = look("mail")
    assert (status, do) == ("warning", "Let EMAIL_URL begin with smtp+tls://.")
    assert says.endswith("greets us. Nothing is encrypted on the way there.")


def test_mail_that_goes_nowhere_is_a_warning_in_production_alone(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert look("mail") == [("ok", "Mail is not sent but printed by the worker, since EMAIL_URL is not set.", "")]
    settings.DEMO = False
    ((status, says, do),) = look("mail")
    assert status == "warning"
    assert says.startswith("Mail is not sent but printed by the worker")
    assert do.startswith("Set EMAIL_URL")
