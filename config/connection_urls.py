"""URLs of servers, with user names and passwords in them, as an operator writes them into the environment."""

import re
from typing import NoReturn
from urllib.parse import unquote_to_bytes, urlsplit

from django.core.exceptions import ImproperlyConfigured

_HINT = (
    "In a user name or password, percent-encode / as %2F, ? as %3F, # as %23, @ as %40, [ as %5B, ] as %5D and "
    "% as %25."
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_END_OF_AUTHORITY = re.compile(r"[/?#]")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def refuse_unencoded(name: str, url: str) -> None:
    """Raise `ImproperlyConfigured` where `url`, the value of the variable `name`, is not read as it was meant.

    That is: a user name or password with a character that ends it early (`/`, `?`, `#`, `[`, `]`), with a `%` that
    begins no escape, or with escapes that are not UTF-8; an `@` or a `#` after the host; control characters, which
    parsers drop; a port that is no number. White space around the URL is passed over. A text without `://` is not
    checked: the caller judges the scheme, and what path and query mean.
    An `@` in a user name or password is accepted, since every parser takes the last one for the end of it.

    The message begins with `name`, says how to write such characters, and has no piece of the URL in it. It is raised
    outside of any `except` block, so that no chained error has one either. Call this before any parser sees the URL:
    the messages of `urllib.parse` quote what they cannot read.
    """
    if fault := _fault(url.strip()):
        raise ImproperlyConfigured(f"{name} {fault} {_HINT}")


def refuse(name: str, why: str) -> NoReturn:
    """Raise `ImproperlyConfigured` for the variable `name`; `why` goes on from there."""
    raise ImproperlyConfigured(f"{name} {why}")


def one_of(name: str, what: str, *values: str) -> str:
    """The one of `values` that is not empty, "" for none. Raises `ImproperlyConfigured` where two differ."""
    given = {value for value in values if value}
    if len(given) > 1:
        refuse(name, f"says its {what} twice, and differently.")
    return given.pop() if given else ""


def _fault(url: str) -> str:
    """The fault of a URL, as the end of a sentence that begins with the variable; "" for nothing."""
    _, separator, rest = url.partition("://")
    if not separator:
        return ""
    if _CONTROL.search(url):
        return "has a line break, a tab or another control character in it."
    end = _END_OF_AUTHORITY.search(rest)
    authority, after = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    # What begins with a slash is a path on this machine, such as that of a socket: it has no user and password.
    if "@" in after and (authority or not after.startswith("/")):
        return "has an @ behind what is read as its host, most likely since its password ends early."
    if "#" in after:
        return "has a # in it, behind which nothing is read."
    user_and_password, _, hosts = authority.rpartition("@")
    if "[" in user_and_password or "]" in user_and_password:
        return "has a bracket in its user name or password, where it is read as part of the host."
    if _LONE_PERCENT.search(user_and_password):
        return "has a % in its user name or password that begins no escape."
    if not _is_utf8(unquote_to_bytes(user_and_password)):
        return "has escapes in its user name or password that are not UTF-8."
    if not all(_has_possible_port(host) for host in hosts.split(",")):
        return "has a port that is no number from 1 to 65535."
    return "" if _can_be_split(url) else "cannot be read."


def _has_possible_port(host: str) -> bool:
    """Whether one host of an authority (PostgreSQL takes several, with commas) has no port, or one that can be."""
    port = host.rpartition("]")[2].partition(":")[2]
    return not port or (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _can_be_split(url: str) -> bool:
    """Whether `urllib.parse` takes it: it refuses hosts in brackets that are no addresses, and letters like `℀`."""
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True
