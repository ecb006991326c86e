"""`EMAIL_URL`, as Django's settings for mail."""

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config.connection_urls import refuse_unencoded

SMTP_BACKEND = "channels_app.transports.email.backend.SMTPBackend"
# How a scheme speaks TLS, and the port where the URL names none.
_STARTTLS, _IMPLICIT = {"EMAIL_USE_TLS": True}, {"EMAIL_USE_SSL": True}
_SMTP: dict[str, tuple[dict[str, bool], int]] = {
    "smtp": ({}, 25),
    "smtp+tls": (_STARTTLS, 587),
    "smtps": (_IMPLICIT, 465),  # RFC 8314, section 3.3
    "smtp+ssl": (_IMPLICIT, 465),
}
# Those of django-environ that send nothing.
_OTHERS = ("consolemail", "filemail", "memorymail", "dummymail")
# What django-environ takes as options.
_TLS_OPTIONS = {"EMAIL_USE_TLS": "smtp+tls", "EMAIL_USE_SSL": "smtps"}
_YES, _NO = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})


def email_settings(name: str, url: str) -> dict[str, Any]:
    """The settings that `url`, the value of the variable `name`, comes to.

    Raises `ImproperlyConfigured`, with no piece of a password, for what cannot be read and for what would have
    no effect: a path behind a mail server, options that are not known.
    """
    url = url.strip()
    refuse_unencoded(name, url)
    parts = urlsplit(url)
    if parts.scheme not in {*_SMTP, *_OTHERS} or "://" not in url:
        raise ImproperlyConfigured(
            f"{name} must begin with {', '.join(f'{scheme}://' for scheme in (*_SMTP, *_OTHERS))}."
        )
    options = {option.upper(): value for option, value in parse_qsl(parts.query, keep_blank_values=True)}
    if parts.scheme in _OTHERS:
        _refuse_options(name, options, ())
        of_the_url: dict[str, Any] = environ.Env.email_url_config(url)
        return of_the_url
    _refuse_options(name, options, _TLS_OPTIONS)
    if parts.path not in {"", "/"}:
        raise ImproperlyConfigured(f"{name} has a path behind its host, which means nothing to a mail server.")
    tls, port = _SMTP[_scheme(name, parts.scheme, options)]
    return {
        "EMAIL_BACKEND": SMTP_BACKEND,
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": False,
        "EMAIL_USE_SSL": False,
        **tls,
    }


def _scheme(name: str, scheme: str, options: dict[str, str]) -> str:
    """The scheme that says the same without options."""
    for option, equal in _TLS_OPTIONS.items():
        value = options.get(option, "").lower()
        if value not in _YES | _NO:
            raise ImproperlyConfigured(f"{name} has an option {option} that is neither yes nor no.")
        if value in _YES and scheme != "smtp" and _SMTP[scheme] != _SMTP[equal]:
            raise ImproperlyConfigured(f"{name} asks for STARTTLS and for TLS from the start; it can be one only.")
        if value in _YES:
            scheme = equal
    return scheme


def _refuse_options(name: str, options: dict[str, str], known: Collection[str]) -> None:
    unknown = [option for option in options if option not in known]
    if unknown:
        what = f" {unknown[0]}" if re.fullmatch(r"[A-Z_]{1,30}", unknown[0]) else ""
        only = f"Known are {' and '.join(known)}." if known else "There are none for this scheme."
        raise ImproperlyConfigured(f"{name} has an option{what} that would have no effect. {only}")
