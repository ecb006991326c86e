"""A notice as a message of Slack's Block Kit, within its limits, and as text, for Mattermost has no blocks.

https://docs.slack.dev/reference/block-kit/blocks. No buttons: without an app that answers them, Slack shows a warning.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from channels_app.transports.base import Link, Notice, Section
from channels_app.transports.slack.markup import ELLIPSIS, Write, fitted, link, markdown, mrkdwn, one_line, size
from channels_app.transports.unlinked import without_addresses

Block = dict[str, Any]

MAX_BLOCKS = 50
MAX_FIELDS = 10
# Of a text Slack takes 3000 characters, of a field 2000; what `PACK_CHARACTERS` and the others come to stays below.
# In all blocks together it takes some 11,000, and says nowhere how it counts.
MAX_BLOCKS_CHARACTERS = 8000
# Slack advises no more, and older servers of Mattermost take no more.
MAX_TEXT_CHARACTERS = 4000

# How far each part is let go, so that none leaves no room for the others.
TITLE_CHARACTERS, HEADING_CHARACTERS, SMALL_CHARACTERS = 300, 150, 500
PARAGRAPHS_CHARACTERS, LINKS_CHARACTERS = 1500, 2000
LABEL_CHARACTERS, VALUE_CHARACTERS = 200, 1000
PACK_CHARACTERS = 1500
# What stands well in half the width.
SHORT_LABEL, SHORT_VALUE = 24, 60

LEFT_OUT = "More was left out here, since the message would be too long."
UNTITLED = "Notification"
BETWEEN_LINKS = " · "
NO_VALUE = "–"


def payload(notice: Notice) -> dict[str, Any]:
    """The payload of an incoming webhook. `text` is the whole message in plain words: Slack shows it in a notification
    and reads it aloud, it is all that Mattermost shows. Slack shows the `blocks` in its place, without previews of the
    pages that the links lead to: they are for people who are signed in.
    """
    notice = without_addresses(notice)
    return {
        "text": text_of(notice),
        "blocks": blocks_of(notice),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def blocks_of(notice: Notice) -> list[Block]:
    """Title and text, then the facts, as many as there is room for, then links, and the small print above and below."""
    above = [*_small(notice.note), _section(f"*{_title(notice, mrkdwn)}*"), *_paragraphs(notice.paragraphs)]
    links = _links(notice.links, mrkdwn)
    below = [*([_section(links)] if links else []), *_small(notice.footer)]
    facts: list[Block] = []
    room = MAX_BLOCKS_CHARACTERS - _characters([*above, *below, *_small(LEFT_OUT)])
    most = MAX_BLOCKS - len(above) - len(below) - 1
    for block in (block for section in notice.sections for block in _facts(section)):
        room -= _characters([block])
        if room < 0 or len(facts) == most:
            facts += _small(LEFT_OUT)
            break
        facts.append(block)
    return [*above, *facts, *below]


def text_of(notice: Notice) -> str:
    """Title, text, facts and links, a line each; what is too long loses the last of its facts."""
    above = [
        [fitted(one_line(notice.note), SMALL_CHARACTERS, markdown)],
        [_title(notice, markdown)],
        *([text] for text in _within(notice.paragraphs, PARAGRAPHS_CHARACTERS, markdown)),
    ]
    below = [
        [_links(notice.links, markdown, MAX_TEXT_CHARACTERS // 4)],
        [fitted(one_line(notice.footer), SMALL_CHARACTERS, markdown)],
    ]
    facts = [[_heading(section, markdown), *_lines(section, markdown)] for section in notice.sections if section.facts]
    whole = _joined([*above, *facts, *below])
    if size(whole) <= MAX_TEXT_CHARACTERS:
        return whole
    room = MAX_TEXT_CHARACTERS - size(_joined([*above, [ELLIPSIS], *below]))
    return _joined([*above, *_as_many(facts, room), [ELLIPSIS], *below])


def _as_many(parts: Iterable[Iterable[str]], room: int) -> list[list[str]]:
    """The first lines of the parts, as many as there is room for, with two characters between them."""
    kept: list[list[str]] = []
    for part in parts:
        kept.append([])
        for line in part:
            room -= size(line) + 2
            if room < 0:
                return kept
            kept[-1].append(line)
    return kept


def _title(notice: Notice, write: Write) -> str:
    return fitted(one_line(notice.title) or UNTITLED, TITLE_CHARACTERS, write)


def _heading(section: Section, write: Write) -> str:
    return fitted(one_line(section.title), HEADING_CHARACTERS, write)


def _paragraphs(paragraphs: Iterable[str]) -> list[Block]:
    written = _within(paragraphs, PARAGRAPHS_CHARACTERS, mrkdwn)
    return [_section("\n\n".join(written))] if written else []


def _within(texts: Iterable[str], limit: int, write: Write) -> list[str]:
    """As many of the texts as come to the limit, with two characters between them; the last may be cut."""
    written = []
    for text in filter(None, map(one_line, texts)):
        if limit < SHORT_VALUE:
            break
        written.append(fitted(text, limit, write))
        limit -= size(written[-1]) + 2
    return written


def _links(links: Iterable[Link], write: Write, limit: int = LINKS_CHARACTERS) -> str:
    """One line of as many links as fit, the first ones first."""
    line = ""
    for each in links:
        label = one_line(each.text)
        written = link(label[:SHORT_VALUE].rstrip() + ELLIPSIS if len(label) > SHORT_VALUE else label, each.url, write)
        longer = f"{line}{BETWEEN_LINKS}{written}" if line else written
        if written and size(longer) <= limit:
            line = longer
    return line


def _facts(section: Section) -> Iterator[Block]:
    """Short facts side by side, long ones a line each; so are nothing but amounts, as on a bill."""
    heading = _heading(section, mrkdwn)
    title = f"*{heading}*" if heading else ""
    facts = [(one_line(label), one_line(value)) for label, value in section.facts]
    for is_short, run in groupby(facts, key=lambda fact: not section.is_bill and _is_short(*fact)):
        texts = (_field(*fact) if is_short else _line(*fact, mrkdwn, bold=not section.is_bill) for fact in run)
        for pack in _packs(texts, MAX_FIELDS if is_short else None):
            if is_short:
                yield _section(title, pack)
            else:
                yield _section("\n".join([title, *pack] if title else pack))
            title = ""


def _is_short(label: str, value: str) -> bool:
    return len(label) <= SHORT_LABEL and len(value) <= SHORT_VALUE


def _field(label: str, value: str) -> str:
    value = mrkdwn(value) or NO_VALUE
    return f"*{mrkdwn(label)}*\n{value}" if label else value


def _line(label: str, value: str, write: Write, *, bold: bool = False) -> str:
    label = fitted(label, LABEL_CHARACTERS, str)
    if bold and label:
        return f"*{write(f'{label}:')}* {fitted(value, VALUE_CHARACTERS, write) or NO_VALUE}"
    line = f"{label}: {value or NO_VALUE}" if label else value or NO_VALUE
    return fitted(line, LABEL_CHARACTERS + VALUE_CHARACTERS, write)  # as one: what opens a line may mean something


def _lines(section: Section, write: Write) -> list[str]:
    return [_line(one_line(label), one_line(value), write) for label, value in section.facts]


def _packs(texts: Iterable[str], most: int | None) -> Iterator[list[str]]:
    """Group texts in order, in packs of at most so many and of at most so many characters."""
    pack: list[str] = []
    for text in texts:
        if pack and (len(pack) == most or sum(map(size, pack)) + len(pack) + size(text) > PACK_CHARACTERS):
            yield pack
            pack = []
        pack.append(text)
    if pack:
        yield pack


def _small(text: str) -> list[Block]:
    written = fitted(one_line(text), SMALL_CHARACTERS, mrkdwn)
    return [{"type": "context", "elements": [_text(written)]}] if written else []


def _section(text: str, fields: Iterable[str] = ()) -> Block:
    block: Block = {"type": "section"}
    if text:
        block["text"] = _text(text)
    if written := [_text(field) for field in fields]:
        block["fields"] = written
    return block


def _text(written: str) -> dict[str, Any]:
    """`verbatim`: nothing in it becomes a link or a mention by itself."""
    return {"type": "mrkdwn", "text": written, "verbatim": True}


def _characters(blocks: Iterable[Block]) -> int:
    texts = [[block.get("text"), *block.get("fields", []), *block.get("elements", [])] for block in blocks]
    return sum(size(text["text"]) for of_block in texts for text in of_block if text)


def _joined(parts: Iterable[Iterable[str]]) -> str:
    """The lines of each part, with an empty line between parts; without what is empty."""
    return "\n\n".join("\n".join(filter(None, part)) for part in parts if any(part))
