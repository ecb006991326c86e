"""Texts that a spreadsheet takes for texts, whatever separator it splits its lines at.

A cell that begins with = + - or @ is a formula (OWASP, CSV injection), also behind white space, and in some locales
with the full-width forms of these. A reader that is set to semicolons sees no quoting in a line that is separated by
commas: for it a part of a text after a semicolon, a tab or a line break is a cell of its own, and a pair of quotation
marks there is an empty text before the formula.
"""

import re

# What separates cells or rows for one reader or another.
_SEPARATOR = r"[\t\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029,;|]"
_BEGINS_A_CELL = rf"(?:\A|(?<={_SEPARATOR}))"
_IS_A_FORMULA = rf"(?:(?!{_SEPARATOR})[\s\"'])*[=+\-@\uff1d\uff0b\uff0d\uff20]"
# A tab or a line break that a text begins with is dropped by some, and what follows it is then the beginning.
_BEGINS_WITH_A_BREAK = r"\A(?=[\"']*[\t\r\n])"
_TO_MARK = re.compile(rf"{_BEGINS_A_CELL}(?={_IS_A_FORMULA})|{_BEGINS_WITH_A_BREAK}")


def neutral(text: str) -> str:
    """With an apostrophe before each part that begins like a formula; any other text as it is.

    Parts that begin so behind an apostrophe of their own get one, too, so that taking one away from each restores the
    text.
    """
    return _TO_MARK.sub("'", text)
