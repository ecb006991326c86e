"""Whose request it is, for throttling logins."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The IP address of the client, None where it cannot be told (a proxy on a Unix socket).

    Anybody can send `X-Forwarded-For`, so it counts only as far as `TRUSTED_PROXY_COUNT` says: each proxy appends whom
    it was asked by, hence with n proxies in front the n-th entry from the right is the client as the outermost of them
    saw it. What stands to the left of it is hearsay.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXY_COUNT:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(entries) >= settings.TRUSTED_PROXY_COUNT:
            address = entries[-settings.TRUSTED_PROXY_COUNT].strip()
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
