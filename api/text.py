"""Which text may come in: what PostgreSQL can store, XML can carry and a terminal shows without surprises."""

import re

# The control characters of Unicode (category Cc) but tab, line feed and carriage return; and lone surrogates, which
# JSON can spell (`"\ud800"`) but UTF-8 cannot.
UNCLEAN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
UNCLEAN_MESSAGE = "Text must not contain control characters or lone surrogates."


def is_clean(text: str) -> bool:
    return UNCLEAN.search(text) is None


def is_clean_line(text: str) -> bool:
    """As `is_clean`, and on a single line without tabs."""
    return is_clean(text) and not any(character in text for character in "\t\n\r")


def printable(text: str) -> str:
    """The text with what is not clean replaced, for naming it in an answer."""
    return UNCLEAN.sub("\ufffd", text)
