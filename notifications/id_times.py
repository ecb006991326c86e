"""Ids carry the time when they were made: a log is narrowed to a time by its ids, along any index that ends in them.

A TypeID ends in a UUIDv7 (RFC 9562, section 5.7), whose first 48 bits are the milliseconds since 1970, written so that
ids sort as their times do.
"""

from datetime import UTC, datetime, timedelta

from typeid.codecs import base32

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 2**48 - 1


def first_id_at(prefix: str, at: datetime) -> str:
    """The lowest id that one made at this moment, to the millisecond, can have.

    `id >= first_id_at("dlv", t)` are those made at `t` or later, `id < ...` those made before. `at` is aware; a time
    before 1970 counts as 1970.
    """
    milliseconds = min(max(-(-(at - _EPOCH) // timedelta(milliseconds=1)), 0), _LAST)
    return f"{prefix}_{base32.encode(milliseconds.to_bytes(6) + bytes(10))}"
