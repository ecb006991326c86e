"""The mail server that `EMAIL_URL` names, and the name that we have towards it."""

from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Literal, Self
from urllib.parse import urlsplit

import idna
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SMTP_BACKEND = "channels_app.transports.email.backend.SMTPBackend"
# Django's own names the same server, for installations with settings of their own.
_SMTP_BACKENDS = frozenset({SMTP_BACKEND, "django.core.mail.backends.smtp.EmailBackend"})
# Backends that send nothing.
ENDS = {
    "django.core.mail.backends.console.EmailBackend": "printed by the worker, since EMAIL_URL is not set",
    "django.core.mail.backends.dummy.EmailBackend": "thrown away",
    "django.core.mail.backends.filebased.EmailBackend": "written to files",
    "django.core.mail.backends.locmem.EmailBackend": "kept in memory",
    "demo.outbox.OutboxBackend": "kept in the outbox of the demo",
}
# As Django and `smtplib` have them, where the URL names none.
DEFAULT_PORT, DEFAULT_TLS_PORT = 25, 465


@dataclass(frozen=True)
class MailServer:
    """`tls` says whether all is inside TLS from the start, or from STARTTLS on, without which nothing is sent.

    `bundle` is the path of a file of certificate authorities trusted beside the public ones, or empty.
    """

    host: str
    port: int
    tls: Literal["", "starttls", "implicit"] = ""
    user: str = ""
    password: str = field(default="", repr=False)
    bundle: str = ""

    @classmethod
    def of_settings(cls) -> Self | None:
        """None where mail goes another way than by SMTP. Raises `ImproperlyConfigured`."""
        return cls.named() if settings.EMAIL_BACKEND in _SMTP_BACKENDS else None

    @classmethod
    def named(cls) -> Self:
        """The server of the settings, whatever backend is in use. Raises `ImproperlyConfigured`."""
        if settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL:
            raise ImproperlyConfigured("EMAIL_URL asks for STARTTLS and for TLS from the start; it can be one only.")
        return cls(
            host=settings.EMAIL_HOST or "localhost",
            port=settings.EMAIL_PORT or (DEFAULT_TLS_PORT if settings.EMAIL_USE_SSL else DEFAULT_PORT),
            tls="starttls" if settings.EMAIL_USE_TLS else "implicit" if settings.EMAIL_USE_SSL else "",
            user=settings.EMAIL_HOST_USER or "",
            password=settings.EMAIL_HOST_PASSWORD or "",
            bundle=settings.EXTRA_CA_BUNDLE,
        )

    @property
    def url(self) -> str:
        """The server's URL without user name and password."""
        return f"smtp://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def __str__(self) -> str:
        """The server's name within a sentence."""
        return f"{self.host} port {self.port}"


def where_mail_ends() -> str:
    """Where mail ends that is not sent, as the end of a sentence; "" where it leaves by SMTP or in another way."""
    return ENDS.get(settings.EMAIL_BACKEND, "")


def our_domain() -> str:
    """The domain of our message ids: the host of `PUBLIC_URL`, else that of the sender's address. In ASCII."""
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    for host in (urlsplit(settings.PUBLIC_URL).hostname, sender.rpartition("@")[2]):
        if host and (domain := _in_ascii(host)):
            return f"[{domain}]" if ":" in domain else domain
    return "localhost"


def _in_ascii(host: str) -> str:
    """Empty where that is not possible."""
    try:
        return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""
