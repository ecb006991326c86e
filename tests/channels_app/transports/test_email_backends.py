"""Mail that goes another way than by SMTP: `EMAIL_URL` names a console, files, or a backend of somebody's own."""

import contextlib
import email
import email.policy
import io
from pathlib import Path

import environ
import pytest
from django.core import mail as django_mail
from django.test import override_settings

from channels_app.transports import Outcome
from channels_app.transports.email.mailserver import MailServer
from tests.channels_app.transports.mailing import ADA, BOB, NOTICE, send_mail


def test_another_backend_takes_the_mail() -> None:
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend", PUBLIC_URL="https://shop.example.com"
    ):
        django_mail.outbox = []
        answer = send_mail(ADA, BOB, reached=(BOB,))

    (mail,) = django_mail.outbox
    assert (mail.to, mail.subject, mail.extra_headers["Message-ID"]) == (
        [ADA],
        NOTICE.title,
        "<dlv_1@shop.example.com>",
    )
    assert (answer.outcome, answer.status_code, answer.reached, answer.url) == (Outcome.SUCCEEDED, None, (ADA,), "")
    assert answer.request_headers["Message-ID"] == "<dlv_1@shop.example.com>"


def test_a_mail_written_to_the_console() -> None:
    written = io.StringIO()
    backend = "django.core.mail.backends.console.EmailBackend"
    with override_settings(EMAIL_BACKEND=backend), contextlib.redirect_stdout(written):
        answer = send_mail()

    assert (answer.outcome, answer.reached) == (Outcome.SUCCEEDED, (ADA,))
    assert "Subject: Order 1001 is complete" in written.getvalue()


def test_a_mail_written_to_a_file(tmp_path: Path) -> None:
    backend = "django.core.mail.backends.filebased.EmailBackend"
    with override_settings(EMAIL_BACKEND=backend, EMAIL_FILE_PATH=str(tmp_path)):
        answer = send_mail()

    (path,) = tmp_path.iterdir()
    assert (answer.outcome, answer.reached) == (Outcome.SUCCEEDED, (ADA,))
    parsed = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert parsed["Subject"] == NOTICE.title


def test_what_another_backend_cannot_do_is_raised(tmp_path: Path) -> None:
    backend = "django.core.mail.backends.filebased.EmailBackend"
    folder = tmp_path / "mails"
    with override_settings(EMAIL_BACKEND=backend, EMAIL_FILE_PATH=str(folder)):
        send_mail()
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.write_text("no folder any more")
        with pytest.raises(Exception, match="not a directory"):
            send_mail()


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", MailServer("mail.example.com", 25)),
        ("smtp://mail.example.com:2525", MailServer("mail.example.com", 2525)),
        ("smtp://[::1]:2525", MailServer("::1", 2525)),
        ("smtp://", MailServer("localhost", 25)),
        (
            "smtp+tls://me%40example.com:p%40ss%2Fw%C3%B6rd@mail.example.com:587",
            MailServer("mail.example.com", 587, "starttls", "me@example.com", "p@ss/wörd"),
        ),
        ("smtp+ssl://me:pass@mail.example.com", MailServer("mail.example.com", 465, "implicit", "me", "pass")),
        ("consolemail://", None),
        ("memorymail://", None),
    ],
)
def test_what_each_email_url_means(url: str, server: MailServer | None) -> None:
    of_the_url = environ.Env.email_url_config(url)
    with override_settings(**{"EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False, **of_the_url, "EXTRA_CA_BUNDLE": ""}):
        assert MailServer.of_settings() == server
