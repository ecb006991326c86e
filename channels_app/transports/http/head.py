"""The head of an answer: its status line, and those of the lines below it that are headers.

Receivers send many things that are no header: `X-Frame-Options : DENY`, a name in Cyrillic, a line of a stack trace.
None of it may turn their yes into a failure, so such a line is passed over. Of lines that end otherwise than in CRLF,
all are read.
"""

import re
from dataclasses import dataclass, field

from requests.structures import CaseInsensitiveDict

from channels_app.transports.http.errors import NoAnswerError, NotHTTPError

# What ends a head. Some write CR CR LF, where text was written as text once too often.
END = re.compile(rb"\n\r{0,2}\n")
LONGEST_END = 4

_BLANK = " \t\r"
_STATUS_LINE = re.compile(r"[ \t]*HTTP/([01])\.([0-9]{1,3})[ \t]+([1-9][0-9]{2})(?:[ \t]+([^\n]*))?[ \t\r]*")
# The beginning of a line that continues the one above (RFC 9112, section 5.2).
_FOLD = re.compile(r"\r?\n[ \t]+")
_is_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch  # RFC 9110, section 5.6.2
_FRAMING = frozenset({"content-length", "transfer-encoding"})


@dataclass(slots=True)
class Head:
    """`headers` are those that are well-formed; several of one name are one, apart by commas (RFC 9110, 5.3).

    `framing` are the values of `content-length` and `transfer-encoding` by which the body is read. A blank before the
    colon is forgiven there (RFC 9112, section 5.1, has it removed from answers): else the end of the body would be
    unknown, and waited for. `is_odd` says that something was forgiven there, so nothing may follow this answer.
    """

    status: int
    reason: str = ""
    version: tuple[int, int] = (1, 1)
    headers: CaseInsensitiveDict[str] = field(default_factory=CaseInsensitiveDict)
    framing: dict[str, list[str]] = field(default_factory=dict)
    is_odd: bool = False

    @property
    def is_interim(self) -> bool:
        """Whether another answer follows (RFC 9110, section 15.2)."""
        return self.status < 200 and self.status != 101

    @property
    def has_no_body(self) -> bool:
        """Whatever its headers say (RFC 9112, section 6.3)."""
        return self.status < 200 or self.status in {204, 304}

    @property
    def keeps_connection(self) -> bool:
        """Whether the receiver would take another request over the same connection (RFC 9112, section 9.3)."""
        said = {word.strip() for word in self.headers.get("connection", "").lower().split(",")}
        return "close" not in said and (self.version >= (1, 1) or "keep-alive" in said)


def check_beginning(data: bytes | bytearray) -> None:
    """Raises `NoAnswerError` where no answer can begin with `data`."""
    begun = data[:16].lstrip(b" \t")[:5]
    if not b"HTTP/".startswith(bytes(begun)):
        raise NoAnswerError("It does not begin with HTTP/.")


def check_status_line(line: bytes) -> None:
    """Raises `NotHTTPError` for a line, without its LF, that is no status line of HTTP/1.x."""
    if not _STATUS_LINE.fullmatch(line.decode("latin-1")):
        raise NotHTTPError("The status line is none of HTTP/1.x.")


def parse_head(data: bytes) -> Head:
    """The head that these bytes are, without the blank line that ends it.

    Raises `NotHTTPError` unless it begins with a status line.
    """
    text = data.decode("latin-1")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    first, *lines = text.split("\n")
    found = _STATUS_LINE.fullmatch(first)
    if not found:
        raise NotHTTPError("The status line is none of HTTP/1.x.")
    head = Head(int(found[3]), (found[4] or "").strip(_BLANK), (int(found[1]), int(found[2])))
    said: dict[str, tuple[str, list[str]]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            continue
        lowered = name.lower()
        value = value.strip(_BLANK).replace("\r", " ")
        if _is_token(name):
            said.setdefault(lowered, (name, []))[1].append(value)
        elif (lowered := lowered.strip(_BLANK)) in _FRAMING:
            head.is_odd = True
        if lowered in _FRAMING:
            head.framing.setdefault(lowered, []).append(value)
    for name, values in said.values():
        head.headers[name] = values[0] if len(values) == 1 else ", ".join(values)
    return head
