"""The delivery log as CSV, with texts that a spreadsheet takes for texts, whatever separator it splits its lines at.

A cell that begins with = + - or @ is a formula (OWASP, CSV injection), also behind white space, and in some locales
with the full-width forms of these. A reader that is set to semicolons sees no quoting in a line that is separated by
commas: for it a part of a text after a semicolon, a tab or a line break is a cell of its own, and a pair of quotation
marks there is an empty text before the formula.
"""

import csv
import re
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Case, F, QuerySet, Value, When
from django.http import StreamingHttpResponse
from django.utils import timezone

from notifications.models import IS_HELD, Delivery
from orders.representations import time_text

# What separates cells or rows for one reader or another.
_SEPARATOR = r"[\t\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029,;|]"
_BEGINS_A_CELL = rf"(?:\A|(?<={_SEPARATOR}))"
_IS_A_FORMULA = rf"(?:(?!{_SEPARATOR})[\s\"'])*[=+\-@\uff1d\uff0b\uff0d\uff20]"
# A tab or a line break that a text begins with is dropped by some, and what follows it is then the beginning.
_BEGINS_WITH_A_BREAK = r"\A(?=[\"']*[\t\r\n])"
_TO_MARK = re.compile(rf"{_BEGINS_A_CELL}(?={_IS_A_FORMULA})|{_BEGINS_WITH_A_BREAK}")


def neutral(text: str) -> str:
    """Put an apostrophe before each part that begins like a formula; any other text stays as it is.

    Parts that begin so behind an apostrophe of their own get one, too, so that taking one away from each restores the
    text.
    """
    return _TO_MARK.sub("'", text)


MOST_ROWS = 100_000
AT_ONCE = 2_000
# Title -> where it stands, seen from the delivery; plain values, since objects would take five times as long.
COLUMNS = {
    "Delivery": "pk",
    "Event": "event_id",
    "Event type": "event_type",
    "Source": "event__source",
    "Order": "event__order__number",
    "E-mail": "event__contact__email",
    "Channel": "channel__name",
    "Channel id": "channel_id",
    "Status": "shown",
    "Attempts": "attempts_made",
    "Answer": "status_code",
    "Outcome": "outcome",
    "Error": "error",
    "Created": "created_at",
    "Next attempt": "next_attempt_at",
    "Finished": "finished_at",
}
_BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets take UTF-8 for something else


def export(rows: QuerySet[Delivery]) -> StreamingHttpResponse:
    """These deliveries, newest first, at most `MOST_ROWS`; the file's name says so where there are more.

    They are read and sent a few at a time, each batch from the edge of the one before, so that neither memory nor a
    transaction grows with the file.
    """
    rows = rows.order_by("-pk")
    cut = f"-newest-{MOST_ROWS}" if rows[MOST_ROWS : MOST_ROWS + 1].exists() else ""
    name = f"deliveries-{timezone.localtime():%Y-%m-%d-%H%M}{cut}.csv"
    return StreamingHttpResponse(
        _lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Line:
    """A file for `csv.writer` that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _lines(rows: QuerySet[Delivery]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield _BYTE_ORDER_MARK + writer.writerow(COLUMNS)
    shown = Case(When(IS_HELD, then=Value("held")), default=F("status"))
    cells = rows.annotate(shown=shown).values_list(*COLUMNS.values())
    sent, edge = 0, None
    while sent < MOST_ROWS:
        batch = list((cells.filter(pk__lt=edge) if edge else cells)[: min(AT_ONCE, MOST_ROWS - sent)])
        yield "".join(writer.writerow([_text(cell) for cell in row]) for row in batch)
        if len(batch) < AT_ONCE:
            return
        sent, edge = sent + len(batch), batch[-1][0]


def _text(cell: object) -> object:
    """Times in RFC 3339, UTC; texts so that no spreadsheet calculates any part of them."""
    if isinstance(cell, datetime):
        return time_text(cell)
    return neutral(cell) if isinstance(cell, str) else cell
