# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The delivery log as CSV."""

import csv
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.notifications import csv_export
from backoffice.notifications.csv_export import neutral
from channels_app.models import Channel
from notifications import services
from notifications.models import Delivery
from tests.backoffice.notifications_fixtures import admin, failed, make_failed, order, people, url, warehouse
from tests.notifications.deliveries import make_delivery


def download(client, query: str = ""):
    return client.get(url("notifications_delivery_csv") + query)


def rows_of(response) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_a_line_says_what_support_needs(people, failed):
    response = download(people["Viewers"])
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in response["Cache-Control"]
    assert re.fullmatch(
        r'attachment; filename="deliveries-\d{4}-\d\d-\d\d-\d{4}\.csv"', response["Content-Disposition"]
    )
    (row,) = rows_of(response)
    assert row == {
        "Delivery": failed.pk,
        "Event": failed.event_id,
        "Event type": "order.completed",
        "Source": "shop",
        "Order": failed.event.order.number,
        "E-mail": "Ada@example.com",
        "Channel": "Warehouse",
        "Channel id": failed.channel_id,
        "Status": "failed",
        "Attempts": "1",
        "Answer": "503",
        "Outcome": "http_error",
        "Error": "The receiver answered 503.",
        "Created": row["Created"],
        "Next attempt": "",
        "Finished": row["Finished"],
    }
    failed.refresh_from_db()
    assert row["Created"] == f"{failed.created_at:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert row["Finished"] == f"{failed.finished_at:%Y-%m-%dT%H:%M:%S.%f}Z"


def test_the_file_holds_what_the_filters_show_newest_first(admin, warehouse, failed):
    paused = services.create_channel(name="Paused", kind="postback", url="https://example.com/", headers={}, by="t")
    services.pause_channel(channel_id=paused.pk, reason="Moving house", by="t")
    held, pending = make_delivery(paused), make_delivery(warehouse)

    def ids(query: str) -> list[str]:
        return [row["Delivery"] for row in rows_of(download(admin, query))]

    assert ids("") == [pending.pk, held.pk, failed.pk]
    assert ids("?status=held") == [held.pk]
    assert ids(f"?channel={warehouse.pk}&status=failed") == [failed.pk]
    assert ids("?q=ada@example.com") == [failed.pk]
    assert ids("?source=funnel") == []
    assert [row["Status"] for row in rows_of(download(admin))] == ["pending", "held", "failed"]


def test_the_button_leads_to_the_same_filters(admin, failed):
    page = admin.get(url("notifications_delivery_changelist") + "?status=failed&before=dlv_z").content.decode()
    link = re.search(r'href="([^"]+)" download', page)[1].replace("&amp;", "&")
    assert link == url("notifications_delivery_csv") + "?status=failed"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_a_spreadsheet_would_calculate_is_only_a_text(admin, failed, begin):
    Delivery.objects.update(error=f'{begin}HYPERLINK("https://evil.example", "x")')
    Channel.objects.update(name='Zoë, «Lager» "1"')
    (row,) = rows_of(download(admin))
    assert row["Error"] == f'\'{begin}HYPERLINK("https://evil.example", "x")'
    assert row["Channel"] == 'Zoë, «Lager» "1"'


SEPARATORS = [",", ";", "\t", "|"]
TEXTS = st.text(st.sampled_from("=+-@'\"\t\r\n\v\x85\u2028;,| ax1.＝－\xa0"), max_size=12)
# As docs/decisions/ says it: one apostrophe less before each part that begins like a formula.
SEPARATOR = r"[\t\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029,;|]"
MARK = re.compile(
    rf"(?:\A|(?<={SEPARATOR}))'(?=(?:(?!{SEPARATOR})[\s\"'])*[=+\-@\uff1d\uff0b\uff0d\uff20])|\A'(?=[\"']*[\t\r\n])"
)


def cells_of(line: str) -> set[str]:
    """What readers of every separator take for a cell: with quoting, without any, and with lines that end anywhere."""
    cells = {*re.split(SEPARATOR, line), *next(csv.reader(io.StringIO(line, newline="")))}
    for separator in SEPARATORS:
        cells.update(cell for row in csv.reader(line.splitlines(), delimiter=separator) for cell in row)
    return cells


@pytest.mark.parametrize("separator", [";", "\t", "\n", "\r\n", "|", ",", "\u2028", "; ", ';"', ";''"])
def test_no_part_of_a_text_is_calculated_by_a_reader_of_other_separators(admin, failed, separator):
    Channel.objects.update(name=f"Ada{separator}=1+1")
    Delivery.objects.update(error=f"Was lost{separator}@SUM(1){separator}fine")
    (row,) = rows_of(download(admin))
    shown = separator[0] + ("\n'" if separator == "\r\n" else f"'{separator[1:]}")
    assert row["Channel"] == f"Ada{shown}=1+1"
    assert row["Error"] == f"Was lost{shown}@SUM(1){separator}fine"


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(text=TEXTS)
def test_no_text_is_calculated_and_each_can_be_had_back(text):
    written = neutral(text)
    assert MARK.sub("", written) == text
    line = csv.writer(csv_export._Line()).writerow(["dlv_1", written, "end"])
    # Spreadsheets pass over white space and quotation marks before a formula.
    assert not [cell for cell in cells_of(line) if cell.strip(' \xa0"')[:1] in set("=+-@＝－")]


def test_what_is_no_formula_stays_as_it_is():
    for text in ("Refused - code -1, nothing = 0", "ada@example.com", "a;b\tc\nd", "It's 5 o'clock", "", "12 + 3"):
        assert neutral(text) == text


def test_a_long_log_is_read_a_few_rows_at_a_time(admin, warehouse, order, monkeypatch):
    made = [make_failed(warehouse, order).pk for _ in range(7)][::-1]
    monkeypatch.setattr(csv_export, "AT_ONCE", 100)
    with CaptureQueriesContext(connection) as at_once:
        assert [row["Delivery"] for row in rows_of(download(admin))] == made
    monkeypatch.setattr(csv_export, "AT_ONCE", 3)
    with CaptureQueriesContext(connection) as batches:
        assert [row["Delivery"] for row in rows_of(download(admin))] == made
    assert len(batches) == len(at_once) + 2  # 3, 3 and 1 rows


def test_a_file_that_is_cut_off_says_so_in_its_name(admin, warehouse, order, monkeypatch):
    made = [make_failed(warehouse, order).pk for _ in range(4)][::-1]
    monkeypatch.setattr(csv_export, "MOST_ROWS", 3)
    monkeypatch.setattr(csv_export, "AT_ONCE", 2)
    response = download(admin)
    assert response["Content-Disposition"].endswith('-newest-3.csv"')
    assert [row["Delivery"] for row in rows_of(response)] == made[:3]
    monkeypatch.setattr(csv_export, "MOST_ROWS", 4)
    assert "newest" not in download(admin)["Content-Disposition"]


def test_filters_that_cannot_be_meant_bring_no_file(admin, failed):
    response = download(admin, "?status=lost")
    assert (response.status_code, response.content) == (
        400,
        b"Nothing is downloaded: the filters of the log have errors.",
    )


def test_the_file_is_for_those_who_may_see_the_log_and_changes_nothing(people, failed):
    assert download(people["staff without a group"]).status_code == 403
    assert download(people["anonymous"]).status_code == 302
    assert people["superuser"].post(url("notifications_delivery_csv")).status_code == 405
