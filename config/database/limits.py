"""How long one statement of the present thread may take: a limit for callers that answer a waiting client."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from psycopg.errors import QueryCanceled

_milliseconds: ContextVar[int | None] = ContextVar("statement_limit", default=None)


def limit_statements(seconds: float | None) -> None:
    """From now on PostgreSQL cancels each statement of this thread that takes longer (None: none), whatever it waits
    for. A transaction that has begun stays as it is."""
    _milliseconds.set(None if seconds is None else max(1, round(seconds * 1000)))


@contextmanager
def statements_limited(seconds: float) -> Iterator[None]:
    """As `limit_statements`, for a while."""
    token = _milliseconds.set(max(1, round(seconds * 1000)))
    try:
        yield
    finally:
        _milliseconds.reset(token)


def set_limit() -> str:
    """The statement that sets the limit within a transaction, "" where there is none."""
    limit = _milliseconds.get()
    return f"SET LOCAL statement_timeout = {limit}" if limit else ""


def was_cancelled(error: BaseException | None) -> bool:
    """Whether this is, or comes from, a statement that took too long."""
    while error is not None:
        if isinstance(error, QueryCanceled):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False
