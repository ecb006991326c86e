"""Mails to look at: one of each event type, others that strain the layout, and an alert."""

import json
from typing import Any

from django.test import override_settings

from channels_app.transports import Link, Notice, Section
from channels_app.transports.email.message import compose
from notifications.events import EVENT_TYPES
from notifications.notices import notice_of
from tests.notifications.bodies import CONTACT_ID, NOW, TEST_EVENT_ID, body_of

ALERT = Notice(
    type="alert.failing",
    title="Warehouse keeps failing",
    paragraphs=(
        "The channel Warehouse has failed 5 times in a row, since 2026-11-23 18:31 UTC.",
        "Tidings asks the channel with one delivery at a time, at growing intervals; the others wait. What could not "
        "be delivered after its retries fails and stays in the delivery log. Other channels are not affected.",
        "Look at the latest attempts, mend the receiver or correct the channel's URL, and send a test. Then have what "
        "failed sent again: the channel's page offers a replay.",
    ),
    sections=(
        Section(
            "Channel", (("Name", "Warehouse"), ("Kind", "Postback"), ("Address", "https://warehouse.example/hook"))
        ),
        Section("Latest failure", (("Outcome", "Connection error"), ("Error", "The connection was refused."))),
    ),
    links=(
        Link("Open the channel Warehouse", "https://tidings.example.com/admin/channels_app/channel/chn_5F1/change/"),
        Link("See what failed", "https://tidings.example.com/admin/notifications/delivery/?status=failed"),
    ),
    tone="bad",
    footer="Sent by Tidings because you are a notification administrator. You are not told again until the channel "
    "has recovered.",
)


def notices() -> dict[str, Notice]:
    """By names that can be file names."""
    found = {key: in_words(body_of(key)) for key in EVENT_TYPES}
    found["test"] = in_words(body_of("order.completed", TEST_EVENT_ID))
    found["tracking-cleared"] = in_words(body_of("shipping.tracking_updated", order={"tracking": None}))
    void = {"kind": "void", "amount": "18.50", "reason": ""}
    found["void"] = in_words(body_of("refund.applied", refund=void, order={"status": "refunded"}))
    found["reactivated"] = in_words(body_of("contact.created", reactivated=True))
    found["many-items"] = in_words(body_of("order.completed", order=_large_order()))
    found["huge-texts"] = in_words(_strained(body_of("transaction.declined")))
    found["alert"] = ALERT
    return found


def html_of(notice: Notice) -> str:
    ((html, _),) = compose(notice, to=["ada@example.com"], message_id="dlv_1@tidings.example.com", now=NOW).alternatives
    assert isinstance(html, str)
    return html


@override_settings(PUBLIC_URL="https://tidings.example.com")
def in_words(body: dict[str, Any]) -> Notice:
    order_id = 1 if body["data"].get("order") else None
    return notice_of(json.dumps(body), order_id=order_id, contact_id=CONTACT_ID)


def _large_order() -> dict[str, Any]:
    title = "Watercolours for beginners, the complete course with all brushes and papers"
    line = {"sku": "COURSE-2026", "title": title, "kind": "digital", "unit_price": "1234.50", "is_upsell": False}
    lines = [{**line, "quantity": number, "total": f"{number * 1234.5:.2f}"} for number in range(1, 31)]
    lines[1] = {**line, "title": "Coffee kit", "sku": "KIT-01", "quantity": 2, "total": "98.00", "is_upsell": True}
    return {
        "items": lines,
        "subtotal": "571667.50",
        "total": "571673.50",
        "paid_total": "500000.00",
        "refunded_total": "1000.00",
    }


def _strained(value: Any) -> Any:
    """Every text that people type is as long as it may be, without a place to break a line, in scripts of all kinds."""
    if isinstance(value, list):
        return [_strained(member) for member in value]
    if not isinstance(value, dict):
        return value
    typed = {"first_name": "Łukasz-", "last_name": "אבג" * 50, "decline_message": "<b>ж</b>" * 60, "email": "a" * 250}
    typed |= {"title": "日本語の商品名" * 25, "reference": "ch_" * 60, "line1": "Llanfair" * 25}
    return {name: typed[name] if name in typed else _strained(member) for name, member in value.items()}
