"""Reads the database for callers that need an answer in time even where PostgreSQL gives none.

A host that vanished, a frozen server and one that a lock keeps waiting say nothing at all, and no setting of a
connection ends that soon enough for a supervisor that asks with a time limit of its own.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import DatabaseError, connection, transaction

PATIENCE_SECONDS = 3.0
# Looks that still wait for PostgreSQL, each with a thread and a connection; further ones are not begun.
_unanswered = threading.BoundedSemaphore(4)

T = TypeVar("T")


class Unanswered(DatabaseError):
    """PostgreSQL has not answered in time."""


def within(look: Callable[[], T], *, seconds: float = PATIENCE_SECONDS) -> T:
    """Run `look`, which reads the database, in a thread of its own, and return its result.

    Raises what it raises, and `Unanswered` when `seconds` are over. Inside a transaction of the caller, whose changes
    another connection would not see, it looks on the spot and for as long as it takes.
    """
    if connection.in_atomic_block:
        return look()
    if not _unanswered.acquire(blocking=False):
        raise Unanswered(f"PostgreSQL does not answer: earlier looks still wait after {seconds:g} s.")
    seen: dict[str, Any] = {}

    def run() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # No caller waits for it any longer by then.
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 2000:.0f}"])
                seen["result"] = look()
        except BaseException as error:
            seen["error"] = error
        finally:
            _unanswered.release()
            connection.close()

    thread = threading.Thread(target=run, name="look", daemon=True)
    thread.start()
    thread.join(seconds)
    # Copied: the thread may go on and write while this is read.
    found = dict(seen)
    if "error" in found:
        raise found["error"]
    if "result" not in found:
        raise Unanswered(f"PostgreSQL has not answered within {seconds:g} s.")
    return found["result"]  # type: ignore[no-any-return]
