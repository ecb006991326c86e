"""Text that comes in: what is dropped from it before it is checked, and which characters it may hold.

Taken is what PostgreSQL can store, XML can carry and a terminal shows without surprises.
"""

import re
import unicodedata
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

# Joiners and emoji tags belong to how a word or a flag is written.
_KEPT = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}
_SEPARATORS = str.maketrans({"\u2028": " ", "\u2029": " "})
# The control characters of Unicode (category Cc) but tab, line feed and carriage return; and lone surrogates, which
# JSON can spell (`"\ud800"`) but UTF-8 cannot.
_UNCLEAN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
UNCLEAN_MESSAGE = "Text must not contain control characters or lone surrogates."


def clean(text: str) -> str:
    """Without invisible format characters; line and paragraph separators are spaces.

    Soft hyphens, zero-width spaces, byte order marks, marks of direction: two texts that look alike would differ.
    """
    if text.isascii():
        return text
    seen = text.translate(_SEPARATORS)
    return "".join(each for each in seen if unicodedata.category(each) != "Cf" or each in _KEPT)


def is_clean(text: str) -> bool:
    """Whether it holds neither control characters, but tabs and line breaks, nor lone surrogates."""
    return _UNCLEAN.search(text) is None


def is_clean_line(text: str) -> bool:
    """As `is_clean`, and on a single line without tabs."""
    return is_clean(text) and not any(character in text for character in "\t\n\r")


def printable(text: str) -> str:
    """The text with what is not clean replaced, for naming it in an answer."""
    return _UNCLEAN.sub("\ufffd", text)


class Text:
    """A pydantic type of `str`: cleaned, trimmed, then measured. A string only: nothing is converted."""

    def __init__(self, longest: int, shortest: int = 0) -> None:
        self.longest, self.shortest = longest, shortest

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(
            strict=True, strip_whitespace=True, min_length=self.shortest, max_length=self.longest
        )
        return core_schema.no_info_before_validator_function(_clean_if_text, text)


def _clean_if_text(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value
