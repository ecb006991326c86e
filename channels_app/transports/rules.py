"""Checks of URLs, recipients and extra headers. Pure functions; a `ValueError` says why one is refused."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from urllib3.util import SKIP_HEADER

MAX_URL_LENGTH = 2000
_URL_TOO_LONG = f"The URL must be at most {MAX_URL_LENGTH} characters long."
MAX_HEADERS = 20
MAX_HEADER_NAME_LENGTH = 100
MAX_HEADER_VALUE_LENGTH = 1024
MAX_RECIPIENTS = 50
# Those that are given twice count once; past this they are not checked one by one.
MAX_RECIPIENTS_GIVEN = 500
MAX_REFUSED = 100
MAX_ADDRESS_LENGTH = 254  # RFC 5321, section 4.5.3.1.3, as corrected by erratum 1690
DEFAULT_PORTS = {"http": 80, "https": 443}
# Stands for what is not shown: the value of a header, the secret part of a URL.
MASK = "********"
# What a usual sentence says of a URL may be its secret part.
SECRET_URL_REFUSED = "The URL cannot be called. Change that of this channel."

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# A last label that is a number makes every address parser try to read an IPv4 address (WHATWG URL, section 3.5).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# What stands for itself (RFC 3986, section 3.3), beside letters, digits and "-._~".
_IN_A_PATH = "!$&'()*+,;=:@/"
_IN_A_QUERY = _IN_A_PATH + "?"
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]*")
_OURS = frozenset({"host", "transfer-encoding", "connection", "user-agent"})
_OUR_PREFIXES = ("content-", "webhook-")


@lru_cache(maxsize=1024)
def check_url(url: str) -> str:
    """The URL as it is stored, shown and called: one spelling, which no HTTP library or proxy has a reason to change.

    Scheme and host are in lower case, international names in IDNA, a default port and a fragment are left out. Path
    and query are those of the request line, but for an empty path, which is sent as `/`: without dot segments or
    several slashes at the beginning, and with every character percent-encoded that cannot stand there (RFC 3986), a `%`
    that begins no escape among them. What is encoded already stays so, in upper-case digits.

    Raises `ValueError` with a sentence unless it is an `http` or `https` URL of at most 2000 characters with a host,
    a usable port and neither credentials nor white space, control characters or backslashes. Which addresses the host
    leads to is checked at each attempt, not here.
    """
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(_URL_TOO_LONG)
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise ValueError("The URL must not contain spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"The URL cannot be read: {error}.") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("The URL must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise ValueError("The URL must not contain a user name or password; use a header instead.")
    if not parts.hostname:
        raise ValueError("The URL must name a host.")
    if port == 0:
        raise ValueError("The port must be between 1 and 65535.")
    netloc = _checked_host(parts) + (f":{port}" if port and port != DEFAULT_PORTS[parts.scheme] else "")
    path = _encoded(_without_dot_segments(parts.path), _IN_A_PATH)
    query = _encoded(parts.query, _IN_A_QUERY)
    checked = SplitResult(parts.scheme, netloc, "/" if query and not path else path, query, "").geturl()
    if len(checked) > MAX_URL_LENGTH:
        raise ValueError(_URL_TOO_LONG)
    return checked


def _encoded(part: str, safe: str) -> str:
    """Percent-encoded where it has to be."""
    encoded = _LONE_PERCENT.sub("%25", quote(part, safe=f"%{safe}"))
    return _ESCAPE.sub(lambda escape: escape[0].upper(), encoded)


def _without_dot_segments(path: str) -> str:
    """Remove dot segments, as browsers and most libraries do (RFC 3986, section 5.2.4), and doubled first slashes.

    `//host/path` is read as another host where a URL is put together again, so `requests` sends such a path so.
    """
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[max(len(kept) - 1, 1) :]  # the first one is empty: what is before the first slash
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    checked = "/".join(kept)
    return f"/{checked.lstrip('/')}" if checked else ""


def masked_url(url: str) -> str:
    """A URL that is a secret as it may be shown: scheme and host alone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{MASK}"


def check_recipients(recipients: Sequence[str]) -> list[str]:
    """The e-mail addresses of a channel, trimmed, in the order given, each once (compared without case).

    International domains are written in IDNA. Raises `RecipientsRefused`, a `ValueError`, with a sentence for each that
    cannot be used (of the first hundred), and `ValueError` for none or more than 50.
    """
    if len(recipients) > MAX_RECIPIENTS_GIVEN:
        raise ValueError(_too_many_recipients(len(recipients)))
    checked: dict[str, str] = {}
    refused: dict[int, str] = {}
    for index, given in enumerate(recipients):
        try:
            address = _checked_address(given.strip())
        except ValueError as error:
            refused[index] = str(error)
            if len(refused) == MAX_REFUSED:
                break
        else:
            checked.setdefault(address.lower(), address)
    if refused:
        raise RecipientsRefused(refused)
    if not checked:
        raise ValueError("Give at least one e-mail address.")
    if len(checked) > MAX_RECIPIENTS:
        raise ValueError(_too_many_recipients(len(checked)))
    return list(checked.values())


def _too_many_recipients(count: int) -> str:
    return f"At most {MAX_RECIPIENTS} recipients are possible, not {count}."


class RecipientsRefused(ValueError):
    """Some addresses cannot be used: `by_index` has a sentence for each."""

    def __init__(self, by_index: dict[int, str]) -> None:
        super().__init__(" ".join(by_index.values()))
        self.by_index = by_index


def _checked_address(address: str) -> str:
    user, _, domain = address.rpartition("@")
    try:
        # Not every mail server takes other letters before the @ (SMTPUTF8).
        if len(address) > MAX_ADDRESS_LENGTH:
            raise ValidationError("It is too long.")
        if not user.isascii() or not address.isprintable():
            raise ValidationError("It has characters that cannot be sent.")
        written = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
        if len(user) + 1 + len(written) > MAX_ADDRESS_LENGTH:
            raise ValidationError("It is too long.")
        _is_address(f"{user}@{written}")
    except (ValidationError, idna.IDNAError, UnicodeError) as error:
        shown = address if len(address) <= 100 else f"{address[:100]}…"
        raise ValueError(f"{shown or 'An empty line'} is not an e-mail address.") from error
    return f"{user}@{written}"


_is_address = EmailValidator()


def _checked_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            if "%" in host:
                raise ValueError(host)
            return f"[{ipaddress.IPv6Address(host).compressed}]"
        except ValueError as error:
            raise ValueError(f"{host} is not an IPv6 address.") from error
    name = host
    if not host.isascii():
        try:
            name = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"{host} is not a valid host name.") from error
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{host[:100]} is not a valid host name.")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return ipaddress.IPv4Address(name).compressed
        except ValueError as error:
            raise ValueError(f"{host} is not an IPv4 address.") from error
    return name


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The extra headers of a channel, values trimmed, in the order given.

    Raises `ValueError` with a sentence for more than 20, for a name that is no token (RFC 9110) of at most 100
    characters, that comes twice or that is ours to set, and for a value of more than 1 KiB or of anything but printable
    ASCII.
    """
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"At most {MAX_HEADERS} headers are possible, not {len(headers)}.")
    checked: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in headers.items():
        lowered = name.lower()
        if len(name) > MAX_HEADER_NAME_LENGTH:
            raise ValueError(f"The name of a header must be at most {MAX_HEADER_NAME_LENGTH} characters long.")
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:100]!r} is not a valid header name.")
        if lowered in _OURS or lowered.startswith(_OUR_PREFIXES):
            raise ValueError(f"The header {name} is set by Tidings and cannot be given.")
        if lowered in seen:
            raise ValueError(f"The header {name} is given twice.")
        if len(value) > MAX_HEADER_VALUE_LENGTH:
            raise ValueError(f"The value of {name} must be at most {MAX_HEADER_VALUE_LENGTH} characters long.")
        if value.strip(" ") == SKIP_HEADER:
            raise ValueError(f"The value of {name} has a meaning of its own in Python's HTTP libraries.")
        if not _PRINTABLE_ASCII.fullmatch(value):
            raise ValueError(f"The value of {name} must consist of printable ASCII characters.")
        seen.add(lowered)
        checked[name] = value.strip(" ")
    return checked
