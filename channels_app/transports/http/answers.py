"""Reading what a receiver sent back, in bounded memory, into what the log can keep."""

import email.utils
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from channels_app.transports.http.content import words_of

MAX_BODY_BYTES = 64 * 1024
KEPT_BODY_BYTES = 16 * 1024
KEPT_HEADER_CHARACTERS = 1024
MAX_RETRY_AFTER_SECONDS = 3600.0


def body_text(body: bytes, headers: Mapping[str, str], masked: Callable[[bytes], bytes] = bytes) -> str:
    """The first 16 KiB of what a body says, or a note of its size when that cannot be read.

    `headers` are those of the answer. `masked` is given the text as UTF-8, unpacked and decoded, and more of it than
    is kept, so that it finds a credential that ends beyond: of a packed body as much as is read of one that is not.
    """
    words = words_of(body, headers, at_most=MAX_BODY_BYTES)
    if words.unreadable:
        size = f"{len(body)} bytes" if len(body) < MAX_BODY_BYTES else f"{MAX_BODY_BYTES} bytes or more"
        return f"[{words.unreadable}, {size}]"
    kept = masked(words.text.encode("utf-8", "replace"))[:KEPT_BODY_BYTES]
    return storable(kept.decode("utf-8", "ignore"))  # without the half of a character at the end


def headers_text(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers for the log: each name and value at most 1024 characters; a head of 64 KiB bounds their number."""
    return {
        storable(name[:KEPT_HEADER_CHARACTERS]): storable(_in_utf8(value)[:KEPT_HEADER_CHARACTERS])
        for name, value in headers.items()
    }


def _in_utf8(value: str) -> str:
    """A value that was read as Latin-1, as every HTTP library does, though it was sent as UTF-8."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def storable(text: str) -> str:
    """PostgreSQL stores every character but NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """`Retry-After` (RFC 9110, section 10.2.3: seconds or a date) as seconds from `now`, 0 to 3600.

    None if there is none or it cannot be read.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
