"""Plain text in the markup of Slack (mrkdwn) and of Mattermost (Markdown), where it is to stay plain text.

Both read formatting, links and mentions out of what they are sent, and neither has a way to escape them that the other
does not show. So & < > are escaped, which both undo, and what else could be more than text is written a little
differently, in ways that are hardly seen: a formatting character as one that looks like it, anything else parted by
a space of no width.

https://docs.slack.dev/messaging/formatting-message-text,
https://docs.mattermost.com/developers/integrate/slash-commands/slack
"""

import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from channels_app.text import one_line as text_line

ELLIPSIS = "…"
_APART = "\N{ZERO WIDTH SPACE}"
_ALIKE = {
    "*": "\N{ASTERISK OPERATOR}",
    "~": "\N{TILDE OPERATOR}",
    "`": "\N{MODIFIER LETTER GRAVE ACCENT}",
    "_": "\N{MODIFIER LETTER LOW MACRON}",
    "$": "\N{FULLWIDTH DOLLAR SIGN}",
}
_FORMATTING = str.maketrans({character: _ALIKE[character] for character in "*~`"})
# Within a word (`insufficient_funds`, an address) it formats nothing, and stays, so that the word can be copied.
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# `:name:` is an emoji, 18:36:00 is a time.
_EMOJI = re.compile(r":(?!\d\d:)(?=[\w+'-]+:)")
_QUOTE = re.compile(r"^(?=>)")

# What only Markdown reads out of a text. Each match is followed by a space of no width.
_PARTED = re.compile(
    r"""
      (?<![A-Za-z0-9])@                 # a mention; within an address there is a letter or digit before it
    | \](?=[(\[:])                      # a link, an image, the definition of one
    | \\(?=[!-/:-@\[-`{-~]|$)           # an escape
    | \#(?=[^\W\d_])                    # a hashtag
    | :(?=/)                            # addresses, which become links by themselves
    | (?<![A-Za-z0-9_])(?:mailto|tel|sms|https?|ftp):
    | (?<![A-Za-z0-9_])www\d{0,3}(?=\.)
    | \.[^\W\d_]{2,4}(?=/)
    | ^(?=[#>+=|-]|:-|\d+[.)])          # a heading, a quote, a list, a line, a table
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Between two of them stands a formula; one that a digit follows ends none.
_DOLLAR = re.compile(r"\$(?!\d)")

# Characters of no width; and Mattermost takes the symbol for a new line for one.
_IN_ONE_LINE = str.maketrans({"\u200b": "", "\ufeff": "", "\u2424": " "})
# What would end the text of a link, and all that a URL may hold but for what would end it: in Markdown a bracket does.
_IN_A_LINK = str.maketrans({"|": "\N{DIVIDES}", "[": "(", "]": ")"})
_IN_A_URL = "%!#$&'*+,/:;=?@[]~"
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))

Write = Callable[[str], str]


def one_line(text: str) -> str:
    """As `channels_app.text.one_line`, and without what these two take for a line break or show as nothing."""
    return text_line(text.translate(_IN_ONE_LINE))


def mrkdwn(text: str) -> str:
    """One line for a `verbatim` text object of Slack, where nothing becomes a link or a mention by itself."""
    return _escaped(_QUOTE.sub(_APART, _unformatted(text)))


def markdown(text: str) -> str:
    """One whole line for Mattermost; Slack shows it the same."""
    text = _PARTED.sub(rf"\g<0>{_APART}", _unformatted(text))
    return _escaped(_DOLLAR.sub(_ALIKE["$"], text))


def link(text: str, url: str, write: Write) -> str:
    """`<url|text>`, which both show as a link. Of a URL that is not of the web, and without a text, the text alone."""
    written = write(text.translate(_IN_A_LINK))
    try:
        is_web = urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        is_web = False
    return f"<{_escaped(quote(url, safe=_IN_A_URL, errors='replace'))}|{written}>" if is_web and written else written


def size(text: str) -> int:
    """The length as the strictest reading of a limit counts it: an emoji is two."""
    return len(text) + sum(character > "\uffff" for character in text)


def fitted(text: str, limit: int, write: Write) -> str:
    """`write(text)`, or of so much of the text and an ellipsis as makes at most `limit` characters; "" if nothing does.

    What is written is never shorter than what it is written of.
    """
    if len(text) <= limit and size(written := write(text)) <= limit:
        return written
    low, high = 0, min(len(text), max(limit, 0))
    while low < high:  # as many characters as fit
        middle = (low + high + 1) // 2
        if size(_cut(text, middle, write)) <= limit:
            low = middle
        else:
            high = middle - 1
    cut = _cut(text, low, write)
    return cut if low and size(cut) <= limit else ""


def _escaped(text: str) -> str:
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    return text


def _unformatted(text: str) -> str:
    text = _UNDERSCORE.sub(_ALIKE["_"], text).translate(_FORMATTING)
    return _EMOJI.sub(f":{_APART}", text)


def _cut(text: str, length: int, write: Write) -> str:
    return write(text[:length].rstrip() + ELLIPSIS)
