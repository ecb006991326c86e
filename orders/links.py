"""Web addresses as people copy them, as the URIs that programs understand (RFC 3987, section 3.1)."""

import re
from urllib.parse import SplitResult, quote, urlsplit

import idna

MAX_LENGTH = 2000
# What stands for itself (RFC 3986, section 3), beside letters, digits and "-._~"; `%` begins what is encoded already.
_IN_A_PATH = "%!$&'()*+,;=:@/"
_IN_A_QUERY = _IN_A_PATH + "?"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# `urlsplit` forgets an empty query and the case of the scheme, so what needs nothing is not put together again.
_IS_URI = re.compile(
    r"""
    [A-Za-z][A-Za-z0-9+.-]*://
    ([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|[\[\]])*            # authority
    (/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?              # path
    (\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?           # query
    (\#([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?           # fragment
    """,
    re.VERBOSE | re.ASCII,
)


def as_uri(address: str) -> str:
    """The same address in ASCII: the host in its IDNA form, and percent-encoded what cannot stand in a URI.

    An address that is a URI already stays as it is, letter for letter. Raises `ValueError` with a sentence for a host
    that is none, and for more than 2000 characters.
    """
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise ValueError("This is not an address.") from error
    uri = SplitResult(
        parts.scheme,
        _authority(parts.netloc),
        _encoded(parts.path, _IN_A_PATH),
        _encoded(parts.query, _IN_A_QUERY),
        _encoded(parts.fragment, _IN_A_QUERY),
    ).geturl()
    if len(uri) > MAX_LENGTH:
        raise ValueError(f"Give an address of at most {MAX_LENGTH} characters, percent-encoded.")
    return address if _IS_URI.fullmatch(address) else uri


def _authority(netloc: str) -> str:
    user, at, place = netloc.rpartition("@")
    if place.isascii():
        return f"{_encoded(user, _IN_A_PATH)}{at}{place}"
    host, colon, port = place.partition(":")
    try:
        name = idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{host[:100]} is not a valid host name.") from error
    return f"{_encoded(user, _IN_A_PATH)}{at}{name}{colon}{port}"


def _encoded(part: str, safe: str) -> str:
    return _LONE_PERCENT.sub("%25", quote(part, safe=safe))
