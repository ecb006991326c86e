"""Locks of PostgreSQL, as every room above uses them: advisory ones, and how long a statement waits for any.

An advisory lock ends with the transaction that took it, after its commit is visible, and so needs no session of its own
behind a pooler. Processes of different releases exclude one another by its key: a key in use never changes.
"""

import hashlib

from django.db import connection
from psycopg.errors import LockNotAvailable


def key_of(text: str) -> int:
    """A key that is made here and not by PostgreSQL: the first 64 bits of the SHA-256 of `text`."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


def take_lock(key: str | int) -> None:
    """Wait until no other transaction holds `key`, and hold it until this one ends. PostgreSQL hashes a `str`."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_hashed(key)})", [key])


def try_lock(key: str | int, *, lock_timeout: str | None = None) -> bool:
    """As `take_lock`, but without waiting: False where another transaction holds `key`.

    With a `lock_timeout` (such as "2s") no later statement of this transaction waits longer for a lock of any kind.
    """
    sql, values = f"SELECT pg_try_advisory_xact_lock({_hashed(key)})", [key]
    if lock_timeout is not None:
        sql, values = f"{sql}, set_config('lock_timeout', %s, true)", [key, lock_timeout]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return bool(cursor.fetchone()[0])


def waited_too_long(error: Exception) -> bool:
    """Whether this `django.db.OperationalError` says that a lock was not to be had within the `lock_timeout`."""
    return isinstance(error.__cause__, LockNotAvailable)


def _hashed(key: str | int) -> str:
    return "%s" if isinstance(key, int) else "hashtextextended(%s, 0)"
