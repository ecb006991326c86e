"""What `manage.py check --deploy` says of an installation besides Django's own checks."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

NOWHERE = "config.W001"
PROXY_UNKNOWN = "config.W002"


@register(Tags.security, deploy=True)
def people_find_it(**_: Any) -> list[CheckMessage]:
    """Check that links in messages lead somewhere, and browsers are told of https."""
    if settings.PUBLIC_URL:
        return []
    return [
        Warning(
            "PUBLIC_URL is not set: links in messages lead nowhere, and cookies go over http.",
            hint="Set PUBLIC_URL, such as https://notify.example.com.",
            id=NOWHERE,
        )
    ]


@register(Tags.security, deploy=True)
def clients_are_told_apart(**_: Any) -> list[CheckMessage]:
    """Check that the proxy that ends TLS is believed about addresses of clients."""
    if urlsplit(settings.PUBLIC_URL).scheme != "https" or settings.TRUSTED_PROXY_COUNT:
        return []
    return [
        Warning(
            "TRUSTED_PROXY_COUNT is 0 behind a proxy that ends TLS: all clients share its address, so that anybody "
            "can lock everybody out of the login.",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies in front, such as 1.",
            id=PROXY_UNKNOWN,
        )
    ]
