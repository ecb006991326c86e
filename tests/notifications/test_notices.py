"""Events in words: what people read in an inbox or a conversation."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection

from channels_app.transports import Link, Notice, Section
from notifications.events import EVENT_TYPES, EventType
from notifications.events.orders import OrderData
from notifications.notices import notice_of
from orders.models import Order
from orders.signals import order_completed
from tests.notifications.bodies import CONTACT_ID, EVENT_ID, TEST_EVENT_ID, body_of

PUBLIC_URL = "https://tidings.example.com"
ORDER = Link("Open order 1001", f"{PUBLIC_URL}/admin/orders/order/7/change/")
CONTACT = Link("Open the contact", f"{PUBLIC_URL}/admin/orders/contact/{quote(CONTACT_ID)}/change/")


def told(body: dict[str, Any], **keys: Any) -> Notice:
    return notice_of(json.dumps(body), **keys)


def facts(notice: Notice, title: str) -> dict[str, str]:
    (section,) = (section for section in notice.sections if section.title == title)
    return dict(section.facts)


@pytest.mark.parametrize(
    ("key", "title", "tone"),
    [
        ("order.completed", "Order 1001 completed: 18.50 USD", "good"),
        ("contact.created", "New contact: Ada Byron", "good"),
        ("shipping.tracking_updated", "Order 1001: tracking set to Royal Mail RM123456785GB", "good"),
        ("product.conflict", "Ada Byron bought Sample e-book again (order 1001)", "bad"),
        ("transaction.declined", "Payment declined for order 1001: 18.50 USD", "bad"),
        ("refund.applied", "Refund of 5.00 USD on order 1001", "neutral"),
        ("subscription.canceled", "Subscription canceled: Sample club (order 1001)", "bad"),
        ("customer.created", "New customer: Ada Byron (order 1001)", "good"),
        ("transaction.approved", "Payment approved for order 1001: 18.50 USD", "good"),
        ("survey.completed", "Survey completed: Sample survey (Ada Byron)", "neutral"),
    ],
)
def test_the_titles_tell_events_apart_in_an_inbox(key, title, tone):
    notice = told(body_of(key))
    assert (notice.type, notice.title, notice.tone, notice.note) == (key, title, tone, "")


def test_every_event_type_has_a_wording_of_its_own():
    assert all(event_type.words for event_type in EVENT_TYPES.values())


def test_a_completed_order_is_told_with_all_that_was_bought():
    notice = told(body_of("order.completed"))
    assert notice.paragraphs == ("Ada Byron bought Sample mug in the funnel Sample funnel.",)
    assert notice.sections == (
        Section(
            "Order",
            (
                ("Number", "1001"),
                ("Status", "Completed"),
                ("Source", "Funnel"),
                ("Funnel", "Sample funnel"),
                ("Placed", "2026-11-23 18:36 UTC"),
                ("Completed", "2026-11-23 18:36 UTC"),
                ("Ship to", "Ada Byron, 12 St James's Square, London SW1Y 4JH, GB"),
            ),
        ),
        Section(
            "Items",
            (
                ("1 × Sample mug (SAMPLE-MUG)", "12.50 USD"),
                ("Shipping", "4.90 USD"),
                ("Tax", "1.10 USD"),
                ("Total", "18.50 USD"),
                ("Paid", "18.50 USD"),
            ),
        ),
        Section(
            "Contact",
            (
                ("Name", "Ada Byron"),
                ("E-mail", "ada@example.com"),
                ("Phone", "+44 20 7946 0000"),
                ("Status", "Customer"),
                ("Tags", "sample"),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("origin", "funnel", "place", "source"),
    [
        ("admin", None, " in the back office", "Admin"),
        ("quote", None, " from a quote", "Admin, from a quote"),
        ("shop", None, " in the shop", "Shop"),
        ("funnel", {"id": "7", "name": "Spring launch", "slug": "spring"}, " in the funnel Spring launch", "Funnel"),
    ],
)
def test_where_an_order_comes_from_is_told_in_words(origin, funnel, place, source):
    notice = told(body_of("order.completed", order={"origin": origin, "funnel": funnel}))
    assert notice.paragraphs == (f"Ada Byron bought Sample mug{place}.",)
    assert facts(notice, "Order")["Source"] == source


def test_an_order_of_which_nothing_is_paid_shows_no_sum_of_nothing():
    notice = told(body_of("order.completed", order={"total": "12.50", "paid_total": "0.00"}))
    assert notice.paragraphs[1].endswith("Nothing has been paid of a total of 12.50 USD.")


def test_an_order_of_several_items_that_is_not_quite_paid():
    line = body_of("order.completed")["data"]["order"]["items"][0]
    kit = {"sku": "KIT-01", "title": "Coffee kit", "quantity": 2, "total": "98.00", "is_upsell": True}
    sums = {"subtotal": "110.50", "total": "1116.50", "paid_total": "1000.00", "refunded_total": "5.00"}
    notice = told(body_of("order.completed", order={"items": [line, {**line, **kit}], **sums}))
    assert notice.title == "Order 1001 completed: 1,116.50 USD"
    assert notice.paragraphs == (
        "Ada Byron bought 3 items in the funnel Sample funnel.",
        "1,000.00 USD has been paid of a total of 1,116.50 USD. "
        "Of what was paid for the order, 5.00 USD has been given back so far.",
    )
    assert facts(notice, "Items") == {
        "1 × Sample mug (SAMPLE-MUG)": "12.50 USD",
        "2 × Coffee kit (KIT-01), upsell": "98.00 USD",
        "Subtotal": "110.50 USD",
        "Shipping": "4.90 USD",
        "Tax": "1.10 USD",
        "Total": "1,116.50 USD",
        "Paid": "1,000.00 USD",
        "Refunded": "5.00 USD",
    }


def test_of_a_hundred_items_twenty_are_listed_and_the_others_summed_up():
    line = body_of("order.completed")["data"]["order"]["items"][0]
    lines = [{**line, "sku": f"S-{number}", "quantity": 1 + number // 50, "total": "1.10"} for number in range(100)]
    items = facts(told(body_of("order.completed", order={"items": lines})), "Items")
    assert list(items)[19:21] == ["1 × Sample mug (S-19)", "130 more items"]
    assert items["130 more items"] == "88.00 USD"
    items = facts(told(body_of("order.completed", order={"items": lines[:21]})), "Items")
    assert items["1 more item"] == "1.10 USD"


def test_pieces_are_counted_and_only_those_that_are_paid():
    line = body_of("order.completed")["data"]["order"]["items"][0]
    kit = {**line, "sku": "KIT-01", "title": "Coffee kit", "quantity": 3}
    cart = {**line, "quantity": 2, "paid": False}

    def bought(*lines):
        notice = told(body_of("order.completed", order={"items": list(lines)}))
        return notice.paragraphs[0].removeprefix("Ada Byron bought ").removesuffix(" in the funnel Sample funnel."), (
            list(facts(notice, "Items"))[: len(lines)]
        )

    assert bought(kit, {**line, "quantity": 2})[0] == "5 items"
    assert bought(cart, kit) == (
        "3 × Coffee kit",
        ["2 × Sample mug (SAMPLE-MUG), not paid", "3 × Coffee kit (KIT-01)"],
    )
    assert bought(cart)[0] == "something"
    # Bodies of an earlier version say nothing of it, and strange ones anything.
    old = {name: value for name, value in kit.items() if name != "paid"}
    assert bought(old)[0] == "3 × Coffee kit"
    assert bought({**kit, "quantity": None}, {**kit, "quantity": "many"}, {**kit, "quantity": -1})[0] == "3 items"


class TestContacts:
    @pytest.mark.parametrize(("source", "words"), [("admin", "the back office"), ("shop", "the shop")])
    def test_a_new_one(self, source, words):
        notice = told({**body_of("contact.created"), "source": source})
        assert notice.paragraphs == (f"A new contact came from {words}.",)
        assert facts(notice, "Contact")["Address"] == "12 St James's Square, London SW1Y 4JH, GB"

    def test_two_addresses(self):
        elsewhere = {"first_name": "Grace", "last_name": "Hopper", "line1": "1 Navy Way", "line2": "Deck 2"}
        elsewhere |= {"city": "Arlington", "state": "VA", "zip_code": "22202", "country": "US"}
        contact = facts(told(body_of("contact.created", contact={"shipping_address": elsewhere})), "Contact")
        assert contact["Billing address"] == "12 St James's Square, London SW1Y 4JH, GB"
        assert contact["Shipping address"] == "Grace Hopper, 1 Navy Way, Deck 2, Arlington, VA 22202, US"

    def test_one_that_is_sent_again(self):
        again = body_of("contact.created", contact={"status": "customer"}, reactivated=True)
        notice = told({**again, "source": "shop"})
        assert notice.title == "Ada Byron is back (contact sent again)"
        assert notice.paragraphs == (
            "The shop sent a contact that was known already as a customer. "
            "What was given anew has replaced what was known before.",
        )

    def test_without_a_name_the_address_stands_for_it_as_it_was_given(self):
        contact = {"first_name": "", "last_name": "", "tags": []}
        notice = told(body_of("contact.created", contact=contact, reactivated=True))
        assert notice.title == "ada@example.com is back (contact sent again)"
        assert {"Name", "Tags"}.isdisjoint(facts(notice, "Contact"))


class TestTracking:
    def test_set(self, settings):
        settings.PUBLIC_URL = PUBLIC_URL
        notice = told(body_of("shipping.tracking_updated"), order_id=7, contact_id=CONTACT_ID)
        assert notice.paragraphs == (
            "The parcel for Ada Byron travels with Royal Mail under the number RM123456785GB.",
        )
        assert facts(notice, "Tracking") == {
            "Carrier": "Royal Mail",
            "Number": "RM123456785GB",
            "Set": "2026-11-23 18:36 UTC",
        }
        track = Link("Track the parcel", "https://example.com/track/RM123456785GB")
        assert notice.links == (track, ORDER, CONTACT)

    @pytest.mark.parametrize(
        "url", [None, "javascript:alert(1)", "/track", "https://example.com/a b", "https://x.example/\n", 5]
    )
    def test_what_is_no_web_address_is_not_linked(self, url):
        tracking = {"carrier": "UPS", "number": "1Z", "url": url, "updated_at": None}
        notice = told(body_of("shipping.tracking_updated", order={"tracking": tracking}))
        assert notice.links == ()

    def test_cleared(self):
        notice = told(body_of("shipping.tracking_updated", order={"tracking": None}))
        assert (notice.title, notice.tone) == ("Order 1001: tracking cleared", "neutral")
        assert notice.paragraphs == ("Order 1001 of Ada Byron has no tracking information any more.",)
        assert [section.title for section in notice.sections] == ["Order", "Contact"]


def test_a_product_that_the_buyer_has_already():
    notice = told(body_of("product.conflict"))
    assert notice.paragraphs == (
        "Ada Byron paid for Sample e-book with order 1001, but has had it since order 1000.",
        "Nothing was blocked. You may want to give the money back, or to offer something else instead.",
    )
    assert facts(notice, "Earlier order")["Number"] == "1000"


class TestPayments:
    @pytest.mark.parametrize(
        ("message", "code", "reason"),
        [
            ("insufficient funds", "51", "Insufficient funds. Code: 51"),
            ("Try again later!", None, "Try again later!"),
            (None, "51", "Code: 51"),
            (None, None, "No reason was given."),
        ],
    )
    def test_a_declined_one_is_told_with_the_reason(self, message, code, reason):
        transaction = {"decline_message": message, "decline_code": code}
        notice = told(body_of("transaction.declined", transaction=transaction))
        assert notice.paragraphs == ("A payment of 18.50 USD by Ada Byron was declined by sample.", reason)

    def test_one_for_an_upsell(self):
        notice = told(body_of("transaction.approved", transaction={"is_upsell": True}))
        assert notice.title == "Upsell payment approved for order 1001: 18.50 USD"
        assert notice.paragraphs == ("A payment of 18.50 USD for an upsell by Ada Byron was approved by sample.",)
        assert facts(notice, "Payment") == {
            "Amount": "18.50 USD",
            "Status": "Approved",
            "For an upsell": "Yes",
            "Gateway": "sample",
            "Reference": "sample-1",
            "Time": "2026-11-23 18:36 UTC",
        }


class TestRefunds:
    def test_a_part_of_a_payment(self):
        order = {"paid_total": "67.50", "refunded_total": "10.00"}
        notice = told(body_of("refund.applied", order=order))
        assert notice.paragraphs == (
            "5.00 USD of the payment of 18.50 USD was refunded to Ada Byron. "
            "Of what was paid for the order, 10.00 USD has been given back so far.",
            "Reason: A sample.",
        )

    def test_all_that_was_paid(self):
        order = {"status": "refunded", "refunded_total": "18.50"}
        notice = told(body_of("refund.applied", refund={"amount": "18.50", "reason": ""}, order=order))
        assert notice.paragraphs == (
            "The whole payment of 18.50 USD was refunded to Ada Byron. "
            "All that was paid for order 1001 has been given back.",
        )

    def test_a_void(self):
        void = {"kind": "void", "amount": "18.50", "reason": ""}
        notice = told(body_of("refund.applied", refund=void, order={"refunded_total": "0.00"}))
        assert notice.title == "Void of 18.50 USD on order 1001"
        assert notice.paragraphs == ("The payment of 18.50 USD by Ada Byron was voided.",)


def test_a_canceled_subscription():
    notice = told(body_of("subscription.canceled", subscription={"cancel_reason": "Too much coffee"}))
    assert notice.paragraphs == (
        "The subscription of Ada Byron to Sample club for 9.00 USD a month was canceled.",
        "Reason: Too much coffee.",
    )
    assert facts(notice, "Subscription")["Price"] == "9.00 USD a month"


class TestSurveys:
    def test_answers_of_every_kind(self):
        answers = {"rating": 5, "again": True, "how_found": ["A friend", "Radio"], "Why us?": "Très bon\n\tmerci"}
        answers |= {"left_out": None, "blank": " ", "nested": {"a": [1, None]}, "never": False, "stars": 4.5}
        notice = told(body_of("survey.completed", response={"answers": answers}))
        assert list(notice.sections[0].facts) == [
            ("Rating", "5"),
            ("Again", "Yes"),
            ("How found", "A friend, Radio"),
            ("Why us?", "Très bon merci"),
            ("Nested", '{"a": [1, null]}'),
            ("Never", "No"),
            ("Stars", "4.5"),
        ]

    def test_of_somebody_unknown(self):
        notice = told(
            body_of("survey.completed", response={"email": "who@example.com", "answers": {}}, contact=None, order=None)
        )
        assert notice.title == "Survey completed: Sample survey (who@example.com)"
        assert notice.paragraphs == ("who@example.com answered the survey Sample survey.",)
        assert [section.title for section in notice.sections] == ["Survey"]

    def test_of_two_hundred_answers_thirty_are_shown_and_the_others_counted(self):
        notice = told(body_of("survey.completed", response={"answers": {f"q{n}": n + 1 for n in range(200)}}))
        assert len(notice.sections[0].facts) == 31
        assert notice.sections[0].facts[-2:] == (("Q29", "30"), ("And", "170 more answers"))


class TestFrame:
    def test_the_footer_says_why_one_is_told(self):
        assert told(body_of("refund.applied")).footer == (
            f"Sent by Tidings because this channel is attached to Refund applied. Event: {EVENT_ID}"
        )

    def test_a_test_says_that_it_is_one(self):
        notice = told(body_of("refund.applied", TEST_EVENT_ID))
        assert notice.title == "Test: Refund of 5.00 USD on order 1001"
        assert notice.note == "This is a test with made-up data."
        assert notice.footer == (
            f"Sent by Tidings because somebody tested this channel with Refund applied. Event: {TEST_EVENT_ID}"
        )

    def test_links_lead_to_what_is_known_of_first(self, settings):
        settings.PUBLIC_URL = PUBLIC_URL
        order, contact = body_of("order.completed"), body_of("contact.created")
        assert told(order, order_id=7, contact_id=CONTACT_ID).links == (ORDER, CONTACT)
        assert told(order, contact_id=CONTACT_ID).links == (CONTACT,)
        assert told(order).links == ()
        unnamed = Link("Open the order", ORDER.url)
        assert told(contact, order_id=7, contact_id=CONTACT_ID).links == (CONTACT, unnamed)

    def test_without_a_public_address_there_is_nowhere_to_lead(self, settings):
        settings.PUBLIC_URL = ""
        assert told(body_of("order.completed"), order_id=7, contact_id=CONTACT_ID).links == ()

    def test_times_are_those_of_the_installation(self, settings):
        settings.TIME_ZONE = "Europe/Berlin"
        assert facts(told(body_of("order.completed")), "Order")["Placed"] == "2026-11-23 19:36 CET"


class TestWithoutAWordingOfItsOwn:
    def test_a_further_event_type_is_told_by_its_label_its_description_and_its_facts(self, monkeypatch):
        monkeypatch.setitem(
            EVENT_TYPES,
            "order.praised",
            EventType(
                key="order.praised",
                label="Order praised",
                description="Somebody is happy with an order.",
                signal=order_completed,
                facts={"order": Order},
                data=OrderData,
                sample=EVENT_TYPES["order.completed"].sample,
            ),
        )
        body = {**body_of("shipping.tracking_updated"), "type": "order.praised"}
        assert OrderData.model_validate(body["data"])
        notice = told(body)
        assert notice.title == "Order praised: order 1001"
        assert notice.paragraphs == ("Somebody is happy with an order.",)
        assert [section.title for section in notice.sections] == ["Order", "Items", "Tracking", "Contact"]
        assert notice.footer.startswith("Sent by Tidings because this channel is attached to Order praised.")

    def test_one_that_is_no_longer_in_the_catalogue_is_told_by_its_key(self):
        data = {"contact": body_of("contact.created")["data"]["contact"], "level": 3, "gift": {"title": "A pen"}}
        notice = told({**body_of("contact.created"), "type": "contact.promoted", "data": data})
        assert (notice.title, notice.paragraphs) == ("contact.promoted: Ada Byron", ())
        assert [section.title for section in notice.sections] == ["Details", "Contact", "Gift"]
        assert facts(notice, "Details") == {"Level": "3"}
        assert facts(notice, "Gift") == {"Title": "A pen"}

    @pytest.mark.parametrize("key", EVENT_TYPES)
    def test_the_facts_of_every_known_object_are_shown(self, key):
        notice = told({**body_of(key), "type": "something.else"})
        shown = {section.title for section in notice.sections}
        names = {"previous_order": "Earlier order", "transaction": "Payment"}
        wanted = {name for name, value in body_of(key)["data"].items() if isinstance(value, dict)}
        assert {names.get(name, name.capitalize()) for name in wanted} <= shown


@pytest.mark.parametrize("key", EVENT_TYPES)
def test_the_threads_that_send_need_no_database_connection(key, settings):
    """This test may not open one either: pytest-django refuses it."""
    settings.PUBLIC_URL = PUBLIC_URL

    def in_a_thread() -> tuple[Notice, bool]:
        notice = told(body_of(key), order_id=7, contact_id=CONTACT_ID)
        return notice, connection.connection is None

    with ThreadPoolExecutor(1) as pool:
        notice, without_connection = pool.submit(in_a_thread).result()
    assert without_connection
    assert CONTACT in notice.links
