"""A notice as an e-mail: text and HTML, made of templates.

`channels_app/mail/notice.txt` and `.html` lay out every notice. A type that is better served otherwise has templates of
its own, `channels_app/mail/<type>.txt` or `.html`, which extend those; in the top-level `templates/` folder an operator
can put others in the place of any of them. They are given:

- `notice`, the `Notice` as it is,
- `sections`, its sections as they are laid out (`LaidOut`),
- `preheader`, what an inbox shows beside the subject.
"""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, formatdate, make_msgid
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import select_template

from channels_app.transports.base import Notice, Section
from channels_app.transports.email.mailserver import our_domain
from channels_app.transports.unlinked import without_addresses

LINE_CHARACTERS = 72
PREHEADER_CHARACTERS = 150
# Labels beyond these get no column of their width.
_WIDEST_LABEL = 24
_WIDEST_ITEM = 50
_INDENT = "  "
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True)
class LaidOut:
    """A section of a notice. Where all values are amounts it `is_bill`, and they stand one below the other.

    `text` are the facts as aligned lines of plain text.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    is_bill: bool
    text: str


def automatic_headers(*, message_id: str = "", now: datetime | None = None) -> dict[str, str]:
    """The headers of every mail of ours: an id at our domain, when it was sent, and that it is sent automatically.

    `message_id` is without angle brackets, `now` the moment; both are made up where they are left out.
    """
    return {
        "Message-ID": f"<{message_id}>" if message_id else make_msgid(domain=our_domain()),
        "Date": format_datetime(now) if now else formatdate(),
        # RFC 3834, and what Exchange heeds instead: absence notes are not wanted.
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }


def compose(notice: Notice, *, to: Sequence[str], message_id: str, now: datetime) -> EmailMultiAlternatives:
    """The notice as text and HTML, to all of `to` at once.

    `message_id` is the same on every attempt, without angle brackets. What would end a header early is taken out of the
    subject; a `message_id` or an address with a line break is refused by Django's `BadHeaderError` when it is sent.
    """
    notice = without_addresses(notice)
    context = {
        "notice": notice,
        "sections": [_laid_out(section) for section in notice.sections],
        "preheader": textwrap.shorten(" ".join(notice.paragraphs), PREHEADER_CHARACTERS, placeholder="…"),
    }
    mail = EmailMultiAlternatives(
        subject=_subject(notice.title),
        body=_without_gaps(_rendered(notice.type, "txt", context)),
        to=list(to),
        headers=automatic_headers(message_id=message_id, now=now),
    )
    mail.attach_alternative(_without_empty_lines(_rendered(notice.type, "html", context)), "text/html")
    return mail


def _subject(title: str) -> str:
    """One line. What looks like an encoded word (RFC 2047) stays what was typed: mail programs would decode it."""
    return " ".join(_NOT_IN_A_HEADER.sub(" ", title).replace("=?", "=\N{WORD JOINER}?").split())


def _rendered(of_type: str, ending: str, context: dict[str, Any]) -> str:
    names = [f"channels_app/mail/{name}.{ending}" for name in (of_type, "notice")]
    text: str = select_template(names).render(context)
    return text.encode(errors="replace").decode()  # halves of characters cannot be sent


def _laid_out(section: Section) -> LaidOut:
    lines = _bill(section.facts) if section.is_bill else _facts(section.facts)
    return LaidOut(section.title, section.facts, section.is_bill, "\n".join(lines))


def _facts(facts: Sequence[tuple[str, str]]) -> list[str]:
    """The values begin in one column; what does not fit in a line goes on below."""
    width = max((len(label) for label, _ in facts if len(label) <= _WIDEST_LABEL), default=0) + 1
    lines = []
    for label, value in facts:
        first, further = f"{_INDENT}{label + ':':<{width}} ", _INDENT + " " * (width + 1)
        if len(label) > _WIDEST_LABEL:
            first, further = f"{_INDENT}{label}: ", _INDENT * 2
        lines += _wrapped(value, first, further)
    return lines


def _bill(facts: Sequence[tuple[str, str]]) -> list[str]:
    """The amounts end in one column, beside the last line of what they are for."""
    width = min(max(len(label) for label, _ in facts), _WIDEST_ITEM)
    amount_width = max(len(value) for _, value in facts)
    lines = []
    for label, value in facts:
        *above, last = textwrap.wrap(label, width) or [""]
        lines += [f"{_INDENT}{each}" for each in above]
        lines.append(f"{_INDENT}{last:<{width}}  {value:>{amount_width}}")
    return lines


def _wrapped(text: str, first: str, further: str) -> list[str]:
    return textwrap.wrap(
        text,
        LINE_CHARACTERS,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def _without_gaps(text: str) -> str:
    """Templates are written to be read: of several blank lines in a row one stays, at the beginning and end none."""
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", f"\n{text}\n").strip("\n") + "\n"


def _without_empty_lines(html: str) -> str:
    return "\n".join(line for line in html.splitlines() if line.strip()) + "\n"
