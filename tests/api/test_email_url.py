"""What each `EMAIL_URL` means, and which are refused at start."""

import traceback
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels_app.transports.email.mailserver import SMTP_BACKEND, MailServer
from config.email_url import email_settings
from tests.api.test_settings import PRODUCTION, load

PASSWORD = "qzxA7/wvkB9"


def refused(url: str) -> str:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL ") as refusal:
        email_settings("EMAIL_URL", url)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://", MailServer("localhost", 25)),
        ("smtp://mail.example.com", MailServer("mail.example.com", 25)),
        ("smtp://mail.example.com:2525/", MailServer("mail.example.com", 2525)),
        ("smtp://[::1]:2525", MailServer("::1", 2525)),
        ("smtp+tls://mail.example.com", MailServer("mail.example.com", 587, "starttls")),
        ("smtp+tls://mail.example.com:25", MailServer("mail.example.com", 25, "starttls")),
        ("smtps://mail.example.com", MailServer("mail.example.com", 465, "implicit")),
        ("smtps://mail.example.com:4650", MailServer("mail.example.com", 4650, "implicit")),
        ("smtp+ssl://me:pass@mail.example.com", MailServer("mail.example.com", 465, "implicit", "me", "pass")),
        ("SMTPS://me:pass@mail.example.com", MailServer("mail.example.com", 465, "implicit", "me", "pass")),
        (
            "smtp+tls://me%40example.com:p%40ss%2Fw%C3%B6rd%23@mail.example.com:587",
            MailServer("mail.example.com", 587, "starttls", "me@example.com", "p@ss/wörd#"),
        ),
        (
            "smtp+tls://me@example.com:pass@mail.example.com",
            MailServer("mail.example.com", 587, "starttls", "me@example.com", "pass"),
        ),
        ("smtp://mail.example.com?EMAIL_USE_TLS=True", MailServer("mail.example.com", 587, "starttls")),
        ("smtp://mail.example.com:25?email_use_ssl=1", MailServer("mail.example.com", 25, "implicit")),
        ("smtp://mail.example.com?EMAIL_USE_TLS=False", MailServer("mail.example.com", 25)),
        ("smtp+ssl://mail.example.com?EMAIL_USE_SSL=1", MailServer("mail.example.com", 465, "implicit")),
    ],
)
def test_what_a_url_of_a_mail_server_means(tmp_path: Path, url: str, server: MailServer) -> None:
    loaded = load(tmp_path, **PRODUCTION, EMAIL_URL=url)
    assert loaded["EMAIL_BACKEND"] == SMTP_BACKEND
    with override_settings(
        **{name: value for name, value in loaded.items() if name.startswith("EMAIL_")}, EXTRA_CA_BUNDLE=""
    ):
        assert MailServer.of_settings() == server


@pytest.mark.parametrize(
    ("url", "backend"),
    [
        ("consolemail://", "console"),
        ("memorymail://", "locmem"),
        ("dummymail://", "dummy"),
        ("filemail:////var/mail/a@b", "filebased"),
    ],
)
def test_mail_can_stay_here(url: str, backend: str) -> None:
    settings = email_settings("EMAIL_URL", url)
    assert settings["EMAIL_BACKEND"] == f"django.core.mail.backends.{backend}.EmailBackend"
    assert settings["EMAIL_FILE_PATH"] == ("/var/mail/a@b" if backend == "filebased" else "")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "http://mail.example.com",
            "EMAIL_URL must begin with smtp://, smtp+tls://, smtps://, smtp+ssl://, consolemail://, filemail://, "
            "memorymail://, dummymail://.",
        ),
        ("smtp:mail.example.com", "EMAIL_URL must begin with "),
        ("mail.example.com:25", "EMAIL_URL must begin with "),
        (
            "smtp://mail.example.com?timeout=5",
            "EMAIL_URL has an option TIMEOUT that would have no effect. Known are EMAIL_USE_TLS and EMAIL_USE_SSL.",
        ),
        ("smtp://mail.example.com/?ssl_certfile=/x&EMAIL_USE_TLS=1", "EMAIL_URL has an option SSL_CERTFILE that "),
        (
            "consolemail://?x=y",
            "EMAIL_URL has an option X that would have no effect. There are none for this scheme.",
        ),
        ("smtp://mail.example.com?EMAIL_USE_TLS=maybe", "EMAIL_URL has an option EMAIL_USE_TLS that is neither "),
        ("smtps://mail.example.com?EMAIL_USE_TLS=1", "EMAIL_URL asks for STARTTLS and for TLS from the start; "),
        ("smtp://mail.example.com?EMAIL_USE_TLS=1&EMAIL_USE_SSL=1", "EMAIL_URL asks for STARTTLS and for TLS "),
        ("smtp://mail.example.com/path", "EMAIL_URL has a path behind its host, which means nothing to a mail server."),
        ("smtp://mail.example.com:587x", "EMAIL_URL has a port that is no number from 1 to 65535. "),
    ],
)
def test_what_would_have_no_effect_is_refused(url: str, sentence: str) -> None:
    assert refused(url).startswith(sentence)


@pytest.mark.parametrize("scheme", ["smtp", "smtp+tls", "smtps", "smtp+ssl"])
def test_a_password_that_is_not_encoded_is_refused_at_start_without_a_piece_of_it(tmp_path: Path, scheme: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL .* / as %2F, ") as refusal:
        load(tmp_path, **PRODUCTION, EMAIL_URL=f"{scheme}://me:{PASSWORD}@mail.example.com:587")
    told = "".join(traceback.format_exception(refusal.value))
    assert not any(piece in told for piece in PASSWORD.split("/"))
