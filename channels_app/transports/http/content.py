"""The words in the body of an answer: its content codings undone (RFC 9110, section 8.4) and its charset decoded."""

import codecs
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

# A coding that unpacks to itself can be named any number of times.
MOST_CODINGS = 3
# zlib's `wbits`: the format of a stream, and the largest window.
_GZIP, _ZLIB, _RAW_DEFLATE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_FORMATS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW_DEFLATE)}
# The longer ones first: UTF-32 begins like UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9][A-Za-z0-9._:+-]{0,39})", re.IGNORECASE)
# Text encodings of Python that are no charsets; some take time that grows with the square of their input.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})
_TEXTUAL = re.compile(
    r"\s*(?:text/|application/(?:[\w.+-]*\+)?(?:json|xml|javascript|x-www-form-urlencoded)\b)", re.IGNORECASE
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Words:
    """`text`, or where there is none `unreadable`: what the content is instead, such as `binary content`."""

    text: str = ""
    unreadable: str = ""


def words_of(body: bytes, headers: Mapping[str, str], *, at_most: int) -> Words:
    """The text of `body`, as it came over the wire; of packed content the first `at_most` bytes are unpacked.

    Content that breaks off, or is broken further on, says what came before. Of the `headers`, `Content-Encoding` and
    `Content-Type` are looked at, in whatever case; a charset that they name goes before UTF-8, and a byte order mark
    before both. Time and memory are bounded by the sizes of `body` and `at_most`.
    """
    named = {name.lower(): value for name, value in headers.items()}
    content_type = named.get("content-type", "")
    codings = [coding.strip().lower() for coding in named.get("content-encoding", "").split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    content = _unpacked(body, codings, at_most) if body else b""
    if content is None:
        # Some name a coding and send text all the same.
        text = _decoded(body, "utf-8")
        if text is not None and not _CONTROLS.search(text):
            return Words(text)
        return Words(unreadable=f"content packed with {_listed(codings)} that could not be unpacked")
    words = _of_unpacked(content, content_type)
    # Packed text has no NULs: it is a bomb, or no text.
    return Words(unreadable="binary content") if codings and "\0" in words.text else words


def _of_unpacked(content: bytes, content_type: str) -> Words:
    charset = _charset(content_type)
    known = _known(charset)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark) and (text := _decoded(content[len(mark) :], encoding)) is not None:
            return Words(text)
    for encoding in filter(None, (known, "utf-8")):
        if (text := _decoded(content, encoding)) is not None:
            return Words(text)
    if _TEXTUAL.match(content_type):
        text = _decoded(content, known or "utf-8", errors="replace") or ""
        if not _CONTROLS.search(text):
            return Words(text)
    return Words(unreadable=f"content in the unknown charset {charset}" if charset and not known else "binary content")


def _unpacked(body: bytes, codings: list[str], at_most: int) -> bytes | None:
    """The content beneath `codings`, which were applied in this order; None where one is unknown or does not fit."""
    if len(codings) > MOST_CODINGS:
        return None
    content: bytes | None = body
    for coding in reversed(codings):
        tried = (_inflated(content or b"", wbits, at_most) for wbits in _FORMATS.get(coding, ()))
        content = next((unpacked for unpacked in tried if unpacked is not None), None)
    return content


def _inflated(packed: bytes, wbits: int, at_most: int) -> bytes | None:
    """The beginning of `packed`, unpacked: all that comes before its end, a fault in it, or `at_most` bytes.

    None where it is in another format. Almost anything begins like a raw stream, so that has to be without a fault.
    """
    unpacked = bytearray()
    stream = zlib.decompressobj(wbits)
    step = len(packed)
    has_ended = False
    while packed and len(unpacked) < at_most:
        given, left = packed[:step], packed[step:]
        before = stream.copy()
        try:
            unpacked += stream.decompress(given, at_most - len(unpacked))
        except zlib.error:
            if wbits == _RAW_DEFLATE:
                return None
            if len(given) == 1:
                break
            # What came before the fault in the same call is lost: once more, in smaller steps.
            stream, step = before, len(given) // 2
            continue
        packed = stream.unconsumed_tail + left
        if stream.eof:
            has_ended = True
            packed = stream.unused_data + left
            if wbits == _RAW_DEFLATE and packed:
                return None
            if wbits != _GZIP:
                break
            stream = zlib.decompressobj(wbits)  # there may be several members
    return bytes(unpacked) if unpacked or has_ended else None


def _charset(content_type: str) -> str:
    """The name that is given; "" for none, and for what cannot be one."""
    found = _CHARSET.search(content_type)
    return found[1].lower() if found else ""


@lru_cache(maxsize=64)
def _known(charset: str) -> str:
    """Python's name of it; "" where that is no text encoding."""
    try:
        b"?".decode(charset or "utf-8", "replace")  # only decoding shows whether it is a text encoding, unlike `zlib`
        name = codecs.lookup(charset).name if charset else ""
    except (LookupError, ValueError):
        return ""
    return "" if name.replace("_", "-") in _NO_CHARSETS else name


def _decoded(content: bytes, encoding: str, errors: str = "strict") -> str | None:
    """None where `content` is in another encoding. A character that it ends within is left out."""
    try:
        return codecs.getincrementaldecoder(encoding)(errors).decode(content)
    except (LookupError, ValueError):
        return None


def _listed(codings: list[str]) -> str:
    """The encodings that a header names, within a sentence; odd names are left out."""
    return ", ".join(each for each in codings[:MOST_CODINGS] if re.fullmatch(r"[a-z0-9-]{1,20}", each)) or "something"
