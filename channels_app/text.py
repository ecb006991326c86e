"""Text from outside as part of a line of ours: on one line, printable, of bounded length."""

import re
from collections.abc import Sequence

# Lone surrogates, which no encoding takes, and marks that turn the direction of all that follows.
_UNFIT = re.compile(r"[\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def one_line(text: str) -> str:
    """`text` as people typed it: control characters and runs of white space are one space each, trimmed."""
    return _BLANK.sub(" ", _UNFIT.sub("", text)).strip()


def printable_line(text: str) -> str:
    """`text` as another program wrote it: as `one_line`, and whatever else is not printable is white space, too."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def cut(text: str, longest: int) -> str:
    """`text`, or where it has more than `longest` characters as much of it as fits before an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def some(names: Sequence[str], at_most: int, noun: str = "") -> str:
    """The first names, and how many there are besides: `a, b and 3 more`, or with a noun `a, b and 3 more tables`."""
    listed, more = ", ".join(names[:at_most]), len(names) - at_most
    return f"{listed} and {more} more{noun and f' {noun}'}" if more > 0 else listed
