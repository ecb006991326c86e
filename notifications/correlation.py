"""The id of the request that is being answered: in its answer, in each of its log lines, and with its events.

It stands among the values that structlog puts into every line of the thread, so line and row cannot differ. What no
request asks for (beat's tasks, the engine, management commands, a shell) has none, neither in lines nor with events.
"""

import re

import structlog
from typeid import TypeID

REQUEST_ID_HEADER = "X-Request-ID"
LONGEST_REQUEST_ID = 128
# What proxies write: hexadecimal digits, UUIDs, and HAProxy's addresses with colons.
_REQUEST_ID = re.compile(rf"[A-Za-z0-9._:=+/~-]{{1,{LONGEST_REQUEST_ID}}}")


def request_id() -> str | None:
    """The id of the request that this thread answers."""
    found = structlog.contextvars.get_contextvars().get("request_id")
    return str(found) if found else None


def new_request_id() -> str:
    """One that sorts by time, so that the index of events grows at its end."""
    return str(TypeID("req"))


def is_request_id(text: str) -> bool:
    """Whether it may be taken over: into a header, a log line and a row."""
    return _REQUEST_ID.fullmatch(text) is not None
