"""A notice as an e-mail, read back from the bytes that are sent."""

import email
import email.policy
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.mail import BadHeaderError

from channels_app.transports import Link, Notice, Section
from channels_app.transports.email.message import compose
from notifications.events import EVENT_TYPES
from notifications.notices import notice_of
from tests.notifications.bodies import CONTACT_ID, TEST_EVENT_ID, body_of

GOLDEN = Path(__file__).parent / "mails"
NOW = datetime(2026, 11, 23, 18, 36, 5, 123456, tzinfo=UTC)
LINE_CHARACTERS = 72
ALERT = Notice(
    type="alert.failing",
    title="Warehouse keeps failing",
    paragraphs=(
        "The channel Warehouse has failed 5 times in a row, since 2026-11-23 18:31 UTC.",
        "Look at the latest attempts, mend the receiver or correct the channel's URL, and send a test. Then have what "
        "failed sent again: the channel's page offers a replay.",
    ),
    sections=(
        Section("Channel", (("Kind", "Postback"), ("Address", "https://warehouse.example/hook"))),
        Section(
            "Latest failure",
            (
                ("Error", "The certificate of warehouse.example has expired on 2026-11-22, so nothing was sent to it."),
                ("A label that is too long for a column", "its value follows at once"),
            ),
        ),
    ),
    links=(
        Link("Open the channel", "https://tidings.example.com/admin/channels_app/channel/chn_1/change/"),
        Link(
            "See what failed", "https://tidings.example.com/admin/notifications/delivery/?status=failed&channel=chn_1"
        ),
    ),
    tone="bad",
    footer="Sent by Tidings because you are a notification administrator.",
)


class Markup(HTMLParser):
    """The elements of a page, with their attributes and the text that they hold."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        if tag not in {"meta", "br"}:
            self._open.append(len(self.found) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.found[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for each in self._open:
            self.found[each][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, " ".join("".join(text).split())) for name, attributes, text in self.found if name == tag]

    def texts(self, tag: str) -> list[str]:
        return [text for _, text in self.all(tag)]


def event(key: str, event_id: str | None = None, **members: Any) -> Notice:
    body = body_of(key, **({"event_id": event_id} if event_id else {}), **members)
    return notice_of(json.dumps(body), order_id=7, contact_id=CONTACT_ID)


def sent(notice: Notice, **options: Any) -> EmailMessage:
    options = {"to": ["ada@example.com"], "message_id": "dlv_1@tidings.example.com", "now": NOW, **options}
    message = email.message_from_bytes(compose(notice, **options).message().as_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    (found,) = (each for each in message.walk() if each.get_content_type() == kind)
    assert found.get_content_charset() == "utf-8"
    content: str = found.get_content()
    return content


def text_of(notice: Notice) -> str:
    return part(sent(notice), "text/plain")


def markup_of(notice: Notice) -> Markup:
    return Markup(part(sent(notice), "text/html"))


@pytest.fixture(autouse=True)
def public_url(settings):
    settings.PUBLIC_URL = "https://tidings.example.com"


@pytest.fixture
def operators_folder(settings, tmp_path: Path) -> Path:
    """A folder in the place of the top-level `templates/`."""
    (engine,) = settings.TEMPLATES
    assert engine["DIRS"] == [django_settings.BASE_DIR / "templates"]
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]
    folder = tmp_path / "channels_app" / "mail"
    folder.mkdir(parents=True)
    return folder


class TestHeaders:
    def test_they_say_what_it_is_from_whom_and_that_a_machine_wrote_it(self, settings):
        settings.DEFAULT_FROM_EMAIL = "Tidings <tidings@example.com>"
        message = sent(event("order.completed"), to=["ada@example.com", "grace@example.com"])
        assert message["Subject"] == "Order 1001 completed: 18.50 USD"
        assert message["From"] == "Tidings <tidings@example.com>"
        assert message["To"] == "ada@example.com, grace@example.com"
        assert message["Message-ID"] == "<dlv_1@tidings.example.com>"
        assert message["Date"] == "Mon, 23 Nov 2026 18:36:05 +0000"
        assert parsedate_to_datetime(message["Date"]) == NOW.replace(microsecond=0)
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["X-Auto-Response-Suppress"] == "All"
        assert [each.get_content_type() for each in message.walk()] == [
            "multipart/alternative",
            "text/plain",
            "text/html",
        ]

    def test_a_test_is_recognised_in_the_inbox(self):
        assert sent(event("order.completed", TEST_EVENT_ID))["Subject"] == "Test: Order 1001 completed: 18.50 USD"

    def test_a_subject_of_any_script_arrives(self):
        notice = event("contact.created", contact={"first_name": "Żółć", "last_name": "日本 🦊"})
        assert sent(notice)["Subject"] == "New contact: Żółć 日本 🦊"

    @pytest.mark.parametrize("evil", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028", "\0", "\ud800", "\r\n\r\n"])
    def test_a_title_adds_no_header_and_ends_none(self, evil):
        message = sent(replace(ALERT, title=f"Failing{evil}Bcc: mallory@example.com", paragraphs=()))
        assert message["Subject"] == "Failing Bcc: mallory@example.com"
        assert message["Bcc"] is None
        assert len(message.keys()) == len(sent(ALERT).keys())

    @pytest.mark.parametrize(
        "options",
        [{"message_id": "x@y>\r\nBcc: mallory@example.com"}, {"to": ["ada@example.com\nBcc: mallory@example.com"]}],
    )
    def test_a_line_break_anywhere_else_is_refused(self, options):
        with pytest.raises(BadHeaderError):
            sent(ALERT, **options)


class TestText:
    @pytest.mark.parametrize(
        ("name", "notice"),
        [
            ("order.completed", lambda: event("order.completed", TEST_EVENT_ID)),
            ("transaction.declined", lambda: event("transaction.declined")),
            ("shipping.tracking_updated", lambda: event("shipping.tracking_updated")),
            ("alert.failing", lambda: ALERT),
        ],
    )
    def test_it_reads_as_it_should_to_the_letter(self, name, notice):
        assert text_of(notice()) == (GOLDEN / f"{name}.txt").read_text()

    @pytest.mark.parametrize("key", EVENT_TYPES)
    def test_no_line_is_too_long_but_a_link(self, key):
        lines = text_of(event(key)).splitlines()
        assert [line for line in lines if len(line) > LINE_CHARACTERS and not line.startswith("https://")] == []
        assert "-- " in lines

    def test_nothing_is_escaped(self):
        text = text_of(event("contact.created", contact={"first_name": "Tom & <Jerry>", "last_name": "O'Neill"}))
        assert "New contact: Tom & <Jerry> O'Neill\n" in text

    def test_amounts_end_in_one_column_beside_the_last_line_of_what_they_are_for(self):
        line = body_of("order.completed")["data"]["order"]["items"][0]
        title = "Watercolours for beginners, with brushes and papers"
        text = text_of(event("order.completed", order={"items": [{**line, "title": title, "total": "1234.50"}]}))
        assert (
            "Items\n"
            "  1 × Watercolours for beginners, with brushes and\n"
            "  papers (SAMPLE-MUG)                                 1,234.50 USD\n"
            "  Shipping                                                4.90 USD\n"
        ) in text


class TestHTML:
    @pytest.mark.parametrize("key", [*EVENT_TYPES, "alert"])
    def test_it_loads_nothing_and_links_say_where_they_lead(self, key):
        notice = ALERT if key == "alert" else event(key)
        html = part(sent(notice), "text/html")
        markup = Markup(html)
        names = {name for name, _, _ in markup.found}
        assert names.isdisjoint({"img", "script", "link", "iframe", "object", "form", "input", "svg", "base"})
        assert "url(" not in html
        assert "@import" not in html
        for name, attributes, _ in markup.found:
            assert {"src", "background", "srcset", "onclick"}.isdisjoint(attributes), name
        assert [(attributes["href"], text) for attributes, text in markup.all("a")] == [
            (link.url, link.text) for link in notice.links
        ]

    @pytest.mark.parametrize("key", EVENT_TYPES)
    def test_its_headings_and_tables_can_be_read_aloud(self, key):
        notice = event(key)
        markup = markup_of(notice)
        assert markup.all("html")[0][0] == {"lang": "en"}
        assert markup.texts("title") == [notice.title]
        assert markup.texts("h1") == [notice.title]
        shown = [section for section in notice.sections if section.title != "Tracking"]
        assert markup.texts("h2") == [section.title for section in shown]
        assert [(attributes["scope"], text) for attributes, text in markup.all("th")] == [
            ("row", label) for section in shown for label, _ in section.facts
        ]
        assert markup.texts("td") == [value for section in shown for _, value in section.facts]

    def test_what_people_typed_is_text(self):
        evil = '<img src=x onerror=alert(1)>"\'{{ notice }}{% now "Y" %}&amp;'
        notice = event("transaction.declined", transaction={"decline_message": evil, "gateway": evil})
        markup = markup_of(notice)
        assert markup.all("img") == []
        assert evil in markup.texts("td")
        assert f"Reason: {evil}. Code: insufficient_funds" in markup.texts("p")

    def test_a_link_stays_within_its_quotes(self):
        url = "https://example.com/\"onmouseover='alert(1)'?a=1&b=<2>"
        tracking = {"carrier": "UPS", "number": "1Z", "url": url, "updated_at": None}
        ((attributes, text), *_) = markup_of(event("shipping.tracking_updated", order={"tracking": tracking})).all("a")
        assert (attributes["href"], text) == (url, "Track the parcel")
        assert set(attributes) == {"class", "href", "style"}

    def test_the_inbox_shows_what_happened_beside_the_subject(self):
        hidden = [
            text for attributes, text in markup_of(ALERT).all("div") if "display:none" in str(attributes["style"])
        ]
        (preheader,) = hidden
        assert preheader.startswith(
            "The channel Warehouse has failed 5 times in a row, since 2026-11-23 18:31 UTC. Look"
        )
        assert preheader.endswith("…")
        assert len(preheader) <= 150

    def test_every_colour_of_the_light_has_one_in_the_dark(self):
        html = part(sent(event("transaction.declined", TEST_EVENT_ID)), "text/html")
        dark = html.partition("prefers-color-scheme: dark")[2].partition("</style>")[0]
        classes = set(re.findall(r"\.([a-z]+)\b", dark))
        coloured = [
            attributes
            for _, attributes, _ in Markup(html).found
            if re.search(r"(?<![a-z-])(color|background-color):", attributes.get("style") or "")
        ]
        assert coloured != []
        for attributes in coloured:
            assert classes & set((attributes.get("class") or "").split()), attributes


class TestTemplates:
    def test_a_tracking_mail_begins_with_the_number_and_the_way_to_follow_it(self):
        notice = event("shipping.tracking_updated")
        html = part(sent(notice), "text/html")
        markup = Markup(html)
        assert markup.texts("p")[:6] == [
            "Tidings",
            notice.paragraphs[0],
            "Royal Mail",
            "RM123456785GB",
            "Set 2026-11-23 18:36 UTC",
            "Track the parcel",
        ]
        assert html.index("Track the parcel") < html.index("<h2")

    def test_a_cleared_tracking_has_no_panel(self):
        markup = markup_of(event("shipping.tracking_updated", order={"tracking": None}))
        assert markup.texts("p")[2] == "Open order 1001"

    def test_a_decline_sets_the_reason_off(self):
        callouts = [
            text
            for attributes, text in markup_of(event("transaction.declined")).all("p")
            if attributes.get("class") == "callout"
        ]
        assert callouts == ["Reason: The card has insufficient funds. Code: insufficient_funds"]

    def test_an_operator_puts_one_in_the_place_of_any(self, operators_folder):
        (operators_folder / "order.completed.html").write_text(
            '{% extends "channels_app/mail/notice.html" %}'
            "{% block title %}<h1>Ours: {{ notice.title }}</h1>{% endblock %}"
        )
        (operators_folder / "transaction.declined.html").write_text(
            '{% extends "channels_app/mail/transaction.declined.html" %}'
            "{% block footer %}<p>Our footer</p>{% endblock %}"
        )
        (operators_folder / "order.completed.txt").write_text("{{ notice.title }} & nothing else")
        completed, declined = event("order.completed"), event("transaction.declined")
        assert markup_of(completed).texts("h1") == ["Ours: Order 1001 completed: 18.50 USD"]
        assert markup_of(completed).texts("h2") == ["Order", "Items", "Contact"]
        assert text_of(completed) == "Order 1001 completed: 18.50 USD & nothing else\n"
        assert markup_of(declined).texts("p")[-1] == "Our footer"
        assert "Reason: The card has insufficient funds. Code: insufficient_funds" in markup_of(declined).texts("p")

    def test_one_for_all_in_the_place_of_ours_is_what_ours_extend(self, operators_folder):
        (operators_folder / "notice.txt").write_text("{% block message %}{% endblock %}\n\n\n\nWith kind regards")
        assert text_of(event("transaction.declined")).splitlines()[-2:] == ["", "With kind regards"]
        assert text_of(ALERT) == "With kind regards\n"


def test_what_looks_like_an_encoded_word_stays_what_was_typed() -> None:
    title = "New contact: =?utf-8?q?Bcc=3A_evil?="
    mail = compose(Notice(type="contact.created", title=title), to=["ada@example.com"], message_id="m@x", now=NOW)
    parsed = email.message_from_bytes(mail.message().as_bytes(), policy=email.policy.default)
    assert parsed["Subject"] == "New contact: =\u2060?utf-8?q?Bcc=3A_evil?="
