"""The one thing that must be put right before Django makes a request of what the server hands over."""

import codecs
import re
from typing import Any

from django.core.signals import request_started

API = "/api/"
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*("[^"]*"|[^;\s"]*)', re.IGNORECASE)
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^;\s"]*)', re.IGNORECASE)
# What a form may be written in besides UTF-8: one byte a character, so that any bytes can be read.
_ONE_BYTE = re.compile(r"us-ascii|iso-8859-[0-9]{1,2}|windows-125[0-8]", re.IGNORECASE)


def readable(content_type: str, path: str) -> str:
    """The Content-Type as far as it is to be believed: with the boundary of a form, and a charset that is one.

    Django reads the query and forms in the charset named there, and the query while it makes the request object: with
    `charset=rot13` it fails where no middleware can answer. JSON defines no parameters (RFC 8259, section 11: a charset
    has no effect).
    """
    media_type, semicolon, _ = content_type.partition(";")
    kept = media_type.strip()
    if not semicolon or path.startswith(API):
        return kept
    if kept.lower().startswith("multipart/") and (boundary := _BOUNDARY.search(content_type)):
        kept += f"; boundary={boundary[1]}"
    if (charset := _CHARSET.search(content_type)) and _is_charset(charset[1]):
        kept += f"; charset={charset[1]}"
    return kept


def _is_charset(name: str) -> bool:
    if not _ONE_BYTE.fullmatch(name):
        return False
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _put_right(environ: dict[str, Any] | None = None, **_: Any) -> None:
    if environ and environ.get("CONTENT_TYPE"):
        environ["CONTENT_TYPE"] = readable(environ["CONTENT_TYPE"], environ.get("PATH_INFO", ""))


def put_right_before_requests() -> None:
    """Called once, when Django starts. Each WSGI handler sends the signal before it makes the request object."""
    request_started.connect(_put_right, dispatch_uid="config.content_type")
