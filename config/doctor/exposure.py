"""Looks at how the installation shows itself: its mode, its address, and the proxies in front of it.

Only the settings are asked. What a proxy really sends is seen by nobody but the web process.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.http.request import validate_host

from channels_app.checks import MAIL_STAYS_HERE
from config.doctor.examination import Finding, fault, ok, unknown, warning
from config.doctor.hosts import is_here

_HEADERS = "X-Forwarded-For, X-Forwarded-Proto and Host"


def look_at_mode() -> Sequence[Finding]:
    """Whether DEBUG or DEMO are on where others can come in."""
    public = not is_here(urlsplit(settings.PUBLIC_URL).hostname or "")
    found = []
    if settings.DEBUG:
        finding = fault if public else warning
        found.append(finding("DEBUG is on: error pages show code and settings.", "Take DEBUG away."))
    if settings.DEMO and public:
        found.append(
            fault("DEMO is on, with a login that everybody knows, and PUBLIC_URL is not here.", "Take DEMO away.")
        )
    return found or [ok("DEMO is on, and nobody but this machine is invited." if settings.DEMO else "Production.")]


def look_at_address() -> Sequence[Finding]:
    """Whether PUBLIC_URL and ALLOWED_HOSTS go together."""
    url = urlsplit(settings.PUBLIC_URL)
    found = []
    if not settings.PUBLIC_URL:
        found.append(
            warning(
                "PUBLIC_URL is not set: mails have no links, and no password can be reset by mail.",
                "Set it to where people reach Tidings, such as https://notify.example.com.",
            )
        )
    elif not validate_host(url.hostname or "", settings.ALLOWED_HOSTS):
        found.append(
            fault(
                f"ALLOWED_HOSTS lacks {url.hostname}, the host of PUBLIC_URL: every request to it is answered 400.",
                "Add it there, or take ALLOWED_HOSTS away.",
            )
        )
    if settings.PUBLIC_URL and url.scheme == "http" and not is_here(url.hostname or ""):
        found.append(
            warning(
                "PUBLIC_URL is not https: passwords and cookies travel in clear.", "Put a proxy with TLS before it."
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        found.append(warning("ALLOWED_HOSTS takes any host name.", "Name those that are served."))
    return found or [ok(f"People come to {settings.PUBLIC_URL}, and that host is served.")]


def look_at_proxies() -> Sequence[Finding]:
    """Whether TRUSTED_PROXY_COUNT goes with PUBLIC_URL."""
    count, https = settings.TRUSTED_PROXY_COUNT, urlsplit(settings.PUBLIC_URL).scheme == "https"
    if https and not count:
        return [
            warning(
                "PUBLIC_URL is https, so a proxy stands before the web process, and TRUSTED_PROXY_COUNT is 0: all "
                "clients share the proxy's address, so that anybody can lock everybody out of the login.",
                "Set TRUSTED_PROXY_COUNT to the number of proxies, which is 1 for nginx alone.",
            )
        ]
    if count and not https:
        return [
            warning(
                f"TRUSTED_PROXY_COUNT is {count}, but PUBLIC_URL is not https: cookies are not marked as secure, and "
                "X-Forwarded-Proto is not read.",
                "Set PUBLIC_URL to the https address; without a proxy in front set TRUSTED_PROXY_COUNT to 0, or "
                "clients can claim any address.",
            )
        ]
    if not count:
        return [ok("None is trusted, and none is needed.")]
    return [
        unknown(
            f"{count} trusted. Whether as many stand there and set {_HEADERS} cannot be seen from here.",
            "Log in, and compare the ip in the log line with your own; the login must say https.",
        )
    ]


def look_at_settings() -> Sequence[Finding]:
    """What Django's system checks say, those for production included where this is production."""
    messages = checks.run_checks(include_deployment_checks=not (settings.DEBUG or settings.DEMO))
    found = [
        (fault if message.is_serious() else warning)(f"{message.msg} ({message.id})", message.hint or "")
        for message in messages
        if not message.is_silenced() and message.id != MAIL_STAYS_HERE  # the check of mail says that
    ]
    return found or [ok("manage.py check has nothing to say.")]
