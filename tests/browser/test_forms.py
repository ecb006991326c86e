"""Forms on their way: stale, sent twice, and after the session has ended."""

import re
import threading

from playwright.sync_api import Page, expect

from tests.browser.conftest import open_order
from tests.browser.inspecting import mouse_only, scrolls_sideways, violations
from tests.browser.people import ADMINISTRATOR, ORDERS, PASSWORD, USER_NAMES
from tests.servers.receiver import Receiver


def end_session(page: Page) -> None:
    """As when somebody logs out in another tab, or it runs out."""
    page.context.clear_cookies(name="sessionid")


def log_in_here(page: Page, role: str) -> None:
    expect(page).to_have_url(re.compile("/admin/login/"))
    page.get_by_label("Username").fill(USER_NAMES[role])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def conflicting(system, page: Page, email: str) -> None:
    """Send the page of a contact that a shop changed while it was open."""
    contact = system.call("POST", "/contacts", source="shop", email=email, first_name="Ada", tags=["spring"])
    page.goto(f"/admin/orders/contact/{contact['id']}/change/")
    phone = {"country": "US", "number": "+1 555 0199"}
    system.call("POST", "/contacts", source="shop", email=email, first_name="Augusta", phone=phone, tags=["autumn"])
    page.get_by_label("First name").first.fill("Adah")
    page.get_by_label("Tags").fill("spring\nvip")
    page.get_by_role("button", name="Save").click()


def test_a_conflict_shows_both_values_and_sending_again_decides(system, page_as):
    page = page_as(ORDERS)
    conflicting(system, page, "conflict@example.com")
    told = page.locator(".ui-conflicts")
    expect(told).to_contain_text("Nothing was saved")
    expect(told).to_be_focused()
    for words in ("Adah", "Augusta", "spring, vip", "spring, autumn"):
        expect(told).to_contain_text(words)
    assert violations(page) == []
    assert mouse_only(page) == []
    told.get_by_role("link", name="Tags").click()
    expect(page.get_by_label("Tags")).to_be_focused()
    expect(page.get_by_label("Phone", exact=True)).to_have_value("+1 555 0199")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#ui-said")).to_contain_text("was saved.")
    expect(page.get_by_label("Tags")).to_have_value("spring\nvip")


def test_a_conflict_on_a_phone(system, phone):
    conflicting(system, phone, "conflict-on-a-phone@example.com")
    expect(phone.locator(".ui-conflicts")).to_be_visible()
    assert scrolls_sideways(phone) is None


def test_three_clicks_make_one_contact(system, page):
    page.goto("/admin/orders/contact/add/")
    page.locator("#id_email").fill("clicked@example.com")
    page.get_by_role("button", name="Add contact").click(click_count=3)
    expect(page.locator("#ui-said")).to_contain_text("was added as a lead.")
    page.goto("/admin/orders/contact/?q=clicked@example.com")
    expect(page.get_by_role("link", name="clicked@example.com")).to_have_count(1)


def test_what_was_typed_is_there_again_after_logging_in(system, open_page, logins):
    page = open_page(storage_state=logins(ADMINISTRATOR))
    page.goto("/admin/orders/contact/add/")
    page.locator("#id_email").fill("typed@example.com")
    page.get_by_label("Tags").fill("one\ntwo")
    end_session(page)
    page.get_by_role("button", name="Add contact").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was done with what you sent")
    assert violations(page) == []
    log_in_here(page, ADMINISTRATOR)
    expect(page.locator("#ui-said")).to_contain_text("What you had typed is in the form again.")
    expect(page.locator("#id_email")).to_have_value("typed@example.com")
    expect(page.get_by_label("Tags")).to_have_value("one\ntwo")
    page.get_by_role("button", name="Add contact").click()
    expect(page.locator("#ui-said")).to_contain_text("was added as a lead.")


def test_a_retry_and_a_test_without_a_session_lead_to_the_login_and_back(system, open_page, logins, receiver: Receiver):
    channel = system.channel("Tested without a session", receiver.url)
    page = open_page(storage_state=logins(ADMINISTRATOR))
    page.goto(f"/admin/channels_app/channel/{channel}/change/")
    for count in (1, 2):  # the page stays, and the next test is another one
        page.get_by_role("button", name="Send test").click()
        assert len(system.settled(count, channel=channel)) == count
    end_session(page)
    page.get_by_role("button", name="Send test").click()
    log_in_here(page, ADMINISTRATOR)
    expect(page).to_have_url(re.compile(f"/admin/channels_app/channel/{channel}/change/"))
    assert len(system.deliveries(channel=channel)) == 2


def test_the_dialog_and_the_switch_without_a_session_lead_to_the_login_and_back(system, open_page, logins):
    page = open_page(storage_state=logins(ADMINISTRATOR))
    attach = "/admin/integrations/system-notifications/refund.applied/attach/"
    page.goto(attach)
    page.get_by_role("link", name="Add a channel").click()
    page.get_by_role("dialog").get_by_label("Name").fill("From the dialog")
    end_session(page)
    page.get_by_role("button", name="Create channel").click()
    log_in_here(page, ADMINISTRATOR)
    expect(page).to_have_url(re.compile(attach))
    page.get_by_role("link", name="Add a channel").click()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_have_value("From the dialog")

    page.goto("/admin/integrations/system-notifications/")
    end_session(page)
    page.get_by_role("switch", name="Survey completed").click()
    log_in_here(page, ADMINISTRATOR)
    expect(page).to_have_url(re.compile("/admin/integrations/system-notifications/$"))


def test_what_looks_by_itself_takes_nobody_away_from_what_they_type(system, open_page, logins, receiver: Receiver):
    system.leave_alone("transaction.declined", enabled=True)
    held = threading.Event()
    receiver.answer = lambda request: 200 if held.wait(25) else 500
    system.channel("Looked after", receiver.url, "transaction.declined")
    order = system.order("typing@example.com")
    system.purchase(order["number"], "typing-1", status="declined", decline_code="51")
    page = open_page(storage_state=logins(ADMINISTRATOR))
    open_order(page, order["number"])
    page.get_by_role("link", name="Record payment").click()
    page.get_by_role("dialog").get_by_label("Reference").fill("typed-by-hand")
    end_session(page)
    try:
        expect(page.locator("#ui-session-ended")).to_contain_text("Your session has ended.")
    finally:
        held.set()
    expect(page.get_by_role("dialog").get_by_label("Reference")).to_have_value("typed-by-hand")
    page.get_by_role("dialog").get_by_role("button", name="Record payment").click()
    log_in_here(page, ADMINISTRATOR)
    expect(page.get_by_label("Reference")).to_have_value("typed-by-hand")
