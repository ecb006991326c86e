"""What is done to text that somebody sends or types, before it is judged."""

import unicodedata
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

# Joiners and emoji tags belong to how a word or a flag is written.
_KEPT = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}
_SEPARATORS = str.maketrans({"\u2028": " ", "\u2029": " "})


def clean(text: str) -> str:
    """Without invisible format characters; line and paragraph separators are spaces.

    Soft hyphens, zero-width spaces, byte order marks, marks of direction: two texts that look alike would differ.
    """
    if text.isascii():
        return text
    seen = text.translate(_SEPARATORS)
    return "".join(each for each in seen if unicodedata.category(each) != "Cf" or each in _KEPT)


class Text:
    """Of a `str`: cleaned, trimmed, then measured. A string only: nothing is converted."""

    def __init__(self, longest: int, shortest: int = 0) -> None:
        self.longest, self.shortest = longest, shortest

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(
            strict=True, strip_whitespace=True, min_length=self.shortest, max_length=self.longest
        )
        return core_schema.no_info_before_validator_function(_clean_if_text, text)


def _clean_if_text(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value
