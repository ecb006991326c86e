"""Nothing that others typed becomes a link in a mail or a Slack message; it reads as it was typed."""

import email
import email.policy
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import idna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels_app.transports import Notice
from channels_app.transports.email.message import compose
from channels_app.transports.slack.blocks import payload
from channels_app.transports.unlinked import APART, without_addresses
from notifications.events import EVENT_TYPES
from notifications.notices import notice_of
from tests.notifications.bodies import CONTACT_ID, body_of
from tests.parametrizing import quick_first

NOW = datetime(2026, 11, 23, 18, 36, tzinfo=UTC)
# What mail and chat programs make links of by themselves, read more widely than any of them does.
LINKED = re.compile(
    r"[a-z][a-z0-9+.-]+:(?=\S)//\S+|(?:mailto|tel|sms|file|skype|slack|javascript|data):\S+|www\d{0,3}\.\w\S*"
    r"|[\w.+-]+[@\uff20]\w|(?:[\w-]+[.\u3002\uff0e\uff61])+(?:xn--)?[^\W\d_]{2,}\b|\b\d+\.\d+\.\d+\.\d+|\\\\\w+",
    re.IGNORECASE,
)
ADDRESSES = [
    *("http://evil.example/pay", "HTTPS://EVIL.EXAMPLE", "www.evil.example", "evil.example/pay?a=b", "a.b.evil.co.uk"),
    *("pay@evil.example", "mailto:pay@evil.example", "ftp://evil.example", "http://1.2.3.4/x", "1.2.3.4", "163.com"),
    *(
        "//evil.example",
        "evil\u3002example",
        "b\u00fccher.example",
        "xn--bcher-kva.xn--p1ai",
        "\\\\evil.example\\share",
    ),
    *(
        "http://ada@evil.example",
        "tel:+1900123456",
        "javascript:alert(1)",
        "www.1und1",
        "https:evil.example",
        "x.evil.example.",
    ),
    *(
        "(http://evil.example)",
        "<http://evil.example>",
        '"evil.example"',
        "http://evil.example,evil.example;evil.example",
    ),
]


class Text(HTMLParser):
    """What is read of a page, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str | None] = []
        self._is_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_style = tag == "style"
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if not self._is_style and data.strip():
            self.texts.append(data)


def everywhere(typed: str) -> dict[str, Any]:
    """The members of a body that buyers and gateways fill in."""
    address = {"first_name": typed, "line1": typed, "line2": typed, "city": typed, "state": typed, "zip_code": typed}
    contact = {
        **{"first_name": typed, "last_name": typed, "tags": [typed, "vip"], "phone": {"country": "", "number": typed}},
        **{"billing_address": address, "shipping_address": {**address, "line1": f"2 {typed}"}},
    }
    return {
        "contact": contact,
        "order": {
            **{"contact": {"first_name": typed, "last_name": typed}, "shipping_address": address},
            "tracking": {"carrier": typed, "number": typed, "url": None, "updated_at": None},
        },
        "transaction": {"decline_code": typed, "decline_message": typed, "reference": typed, "gateway": typed},
        "refund": {"reason": typed},
        "subscription": {"cancel_reason": typed},
        "response": {"answers": {typed: typed, "more": [typed], "deep": {"a": typed}}},
    }


def notice_about(key: str, typed: str) -> Notice:
    body = body_of(key)
    members = {name: values for name, values in everywhere(typed).items() if isinstance(body["data"].get(name), dict)}
    return notice_of(json.dumps(body_of(key, **members)), order_id=7, contact_id=CONTACT_ID)


def parts_of(notice: Notice) -> tuple[str, str, Text]:
    """Subject, text and HTML as they arrive."""
    mail = compose(notice, to=["staff@example.com"], message_id="m@x", now=NOW).message().as_bytes()
    message = email.message_from_bytes(mail, policy=email.policy.default)
    plain, html = (part.get_content() for part in message.iter_parts())
    return str(message["Subject"]), plain, Text(html)


def parted(text: str) -> str:
    return without_addresses(Notice(type="", title=text, addresses=frozenset())).title


@pytest.fixture(autouse=True)
def public_url(settings):
    settings.PUBLIC_URL = "https://tidings.example.com"


@pytest.mark.parametrize("key", quick_first([*EVENT_TYPES], 2))
@pytest.mark.parametrize("typed", ADDRESSES)
def test_what_somebody_typed_is_no_link_anywhere(typed, key):
    notice = notice_about(key, f"Click {typed} now")
    ours = [link.url for link in notice.links]
    subject, plain, html = parts_of(notice)
    assert html.links == ours
    for url in ours:
        plain = plain.replace(url, "")
    message = payload(notice)
    slack = re.sub(r"<https://tidings\.example\.com/[^>|]*\|[^>]*>", "", json.dumps(message, ensure_ascii=False))
    slack = slack.replace("\\\\", "\\")
    for text in (subject, plain, " ".join(html.texts), slack):
        found = [each for each in LINKED.findall(text.replace("ada@example.com", "")) if "evt_" not in each]
        assert found == []
    # To a person it says what was typed.
    whole = " ".join(html.texts).replace(APART, "")
    assert typed in whole


def test_the_contacts_own_address_stays_one_and_can_be_copied():
    notice = notice_about("contact.created", "")
    _, plain, html = parts_of(notice)
    assert "E-mail:  ada@example.com" in re.sub(" +", "  ", plain)
    assert "ada@example.com" in html.texts
    assert "New contact: ada@example.com" in html.texts
    assert parts_of(notice)[0] == "New contact: ada@example.com"


@pytest.mark.parametrize(
    "address", ["www.evil.example@x.example", '"http://evil.example/"@x.example', "a/b.evil.example/c@x.example"]
)
def test_an_address_that_could_be_read_as_another_is_parted_too(address):
    notice = notice_of(
        json.dumps(body_of("contact.created", contact={"email": address, "first_name": "", "last_name": ""}))
    )
    title = without_addresses(notice).title
    assert not LINKED.search(title)
    assert title.replace(APART, "") == f"New contact: {address}"


@pytest.mark.parametrize(
    "text",
    ["J.R.R. Tolkien", "1,234.50 USD", "18:36", "2 × Mug (MUG-1.5)", "Dr. No", "v1.2", "a: b", "…", "O'Neill & Co."],
)
def test_what_is_no_address_stays_letter_by_letter(text):
    assert parted(text) == text


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(st.sampled_from("ab.:/@1w\\ \u3002x-\u00fc"), max_size=24))
def test_no_text_holds_an_address_and_each_reads_as_it_was(text):
    written = parted(text)
    assert not LINKED.search(written)
    assert written.replace(APART, "") == text


def test_a_parted_domain_leads_nowhere():
    domain = parted("evil.example")
    with pytest.raises(idna.IDNAError):
        idna.encode(domain, uts46=True)
