"""A message of Slack's as HTML, as plainly as it goes: title, text, fields, context and links of its blocks.

https://docs.slack.dev/reference/block-kit/blocks. What came may be of any shape; what is none of these is left out.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from demo.keeping import storable

# Slack's own limit of blocks in a message, and of characters in a text.
MOST_BLOCKS, LONGEST_TEXT = 50, 3000
_ANGLES = re.compile(r"<([^<>\n]+)>")
_BOLD = re.compile(r"(?<![\w*])\*([^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])")


@dataclass(frozen=True)
class Block:
    """A part of a message, each text as safe HTML."""

    kind: Literal["title", "text", "fields", "context", "divider", "links"]
    texts: tuple[SafeString, ...] = ()


def blocks_of(body: str) -> list[Block]:
    """What a message shows: its blocks and those of its attachments, or its text where it has no block."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if not isinstance(message, dict):
        return []
    parts = [message, *_dicts(message.get("attachments"))]
    given = [block for part in parts for block in _dicts(part.get("blocks"))][:MOST_BLOCKS]
    shown = [block for each in given for block in _shown(each)]
    return shown or [Block("text", (text,)) for text in _texts({"type": "mrkdwn", "text": message.get("text")})]


def mrkdwn(text: str) -> SafeString:
    """Slack's markup as safe HTML: bold, links to http and https, mentions; line breaks stay as they are."""
    pieces = []
    end = 0
    for found in _ANGLES.finditer(text):
        pieces += [_with_bold(text[end : found.start()]), _in_angles(found[1])]
        end = found.end()
    return _joined([*pieces, _with_bold(text[end:])])


def _shown(block: dict[str, Any]) -> Iterator[Block]:
    match block.get("type"):
        case "header":
            yield from _one("title", block.get("text"))
        case "section":
            yield from _one("text", block.get("text"))
            yield from _one("fields", *_dicts(block.get("fields")))
        case "context":
            yield from _one("context", *_dicts(block.get("elements")))
        case "divider":
            yield Block("divider")
        case "actions":
            links = [_button(element) for element in _dicts(block.get("elements"))]
            if links:
                yield Block("links", tuple(links))


def _one(kind: Literal["title", "text", "fields", "context"], *objects: Any) -> Iterator[Block]:
    texts = tuple(text for each in objects for text in _texts(each))
    if texts:
        yield Block(kind, texts)


def _texts(given: Any) -> Iterator[SafeString]:
    """The text of a text object, if it is one."""
    text = given.get("text") if isinstance(given, dict) else None
    if isinstance(text, str) and text.strip():
        text = storable(text, LONGEST_TEXT)
        yield mrkdwn(text) if given.get("type") == "mrkdwn" else format_html("{}", _unescaped(text))


def _button(element: dict[str, Any]) -> SafeString:
    label = _joined(list(_texts(element.get("text")))) or format_html("{}", "Without a label")
    url = element.get("url")
    return _link(storable(url), label) if isinstance(url, str) and _is_web(url) else label


def _in_angles(content: str) -> SafeString:
    """`<url|text>`; `<!here>` and `<@U1>` stand for mentions. All else stays as it was written."""
    target, _, label = (_unescaped(part) for part in content.partition("|"))
    if target[:1] in {"!", "@", "#"}:
        return format_html("<b>@{}</b>", label or target[1:])
    return (
        _link(target, format_html("{}", label or target))
        if _is_web(target)
        else format_html("{}", f"<{_unescaped(content)}>")
    )


def _link(url: str, label: SafeString) -> SafeString:
    return format_html('<a href="{}" rel="noreferrer">{}</a>', url, label)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.netloc)
    except ValueError:
        return False


def _with_bold(text: str) -> SafeString:
    pieces = _BOLD.split(text)  # every second one stood between two stars
    return _joined(
        [
            format_html("<strong>{}</strong>" if index % 2 else "{}", _unescaped(piece))
            for index, piece in enumerate(pieces)
        ]
    )


def _joined(pieces: list[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((piece,) for piece in pieces))


def _unescaped(text: str) -> str:
    """Slack has three characters written as entities."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
