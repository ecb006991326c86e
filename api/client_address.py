"""Whose request it is, for throttling logins and for the log."""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

# A client with one IPv6 address has at least so many of them (RFC 6177), and may take another for each guess.
IPV6_PREFIX = 64
# IPv4 addresses as a translator writes them (RFC 6052, section 2.1).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PORT = re.compile(r"\[(?P<ipv6>[^\]]*)\](:[0-9]{1,5})?|(?P<ipv4>[0-9.]+):[0-9]{1,5}")


def client_address(request: HttpRequest) -> str | None:
    """The IP address of the client, None where it is unknown (a proxy on a Unix socket).

    Any client can send `X-Forwarded-For`, so it counts only as far as `TRUSTED_PROXY_COUNT` says: each proxy appends
    the address of its peer, hence with n proxies in front the n-th entry from the right is the client as the outermost
    of them saw it. What stands to the left of it is not trusted. Some write a port behind it, which changes with each
    connection.
    """
    address = _address(request)
    return str(address) if address else None


def counted_address(request: HttpRequest) -> str | None:
    """The address by which `client_address` is counted: of IPv6 the first one of the subscriber's network."""
    address = _address(request)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False).network_address)
    return str(address) if address else None


def _address(request: HttpRequest) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    said = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXY_COUNT:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(entries) >= settings.TRUSTED_PROXY_COUNT:
            said = entries[-settings.TRUSTED_PROXY_COUNT]
    return _parsed(said)


def _parsed(said: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """IPv4 is IPv4, however it is written. A zone (`%eth0`) is of this host alone, and not of the address."""
    said = said.strip().strip('"')
    if with_port := _PORT.fullmatch(said):
        said = with_port["ipv6"] or with_port["ipv4"] or ""
    try:
        address = ipaddress.ip_address(said.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
