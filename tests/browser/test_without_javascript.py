"""A browser that runs no scripts: everything that turns, attaches, removes and retries works by links and forms."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import PHONE
from tests.browser.conftest import log_in, open_order
from tests.browser.inspecting import scrolls_sideways
from tests.browser.people import NOTIFICATIONS, ORDERS, USER_NAMES

LIST = "/admin/integrations/system-notifications/"


@pytest.fixture
def scriptless(no_javascript_page: Page) -> Page:
    log_in(no_javascript_page, USER_NAMES[NOTIFICATIONS])
    return no_javascript_page


def test_log_in_and_out(scriptless):
    scriptless.get_by_role("button", name="Log out").click()
    expect(scriptless.get_by_role("link", name="Log in again")).to_be_visible()
    scriptless.goto("/admin/")
    expect(scriptless.get_by_role("button", name="Log in")).to_be_visible()


def test_an_event_type_is_turned_on_and_off(system, scriptless):
    system.leave_alone("product.conflict", enabled=False)
    scriptless.goto("/admin/")
    scriptless.get_by_role("link", name="Integrations", exact=True).click()
    scriptless.get_by_role("link", name="Configuration").click()
    switch = scriptless.get_by_role("switch", name="Product conflicts")
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(scriptless.locator("#ui-said")).to_contain_text("Product conflicts was turned on.")
    expect(switch).to_have_attribute("aria-checked", "true")
    assert is_on(system, "product.conflict")

    switch.click()
    expect(scriptless.locator("#ui-said")).to_contain_text("Product conflicts was turned off.")
    expect(switch).to_have_attribute("aria-checked", "false")
    assert not is_on(system, "product.conflict")


def test_a_channel_is_made_attached_edited_and_deleted(system, scriptless, receiver):
    key = "survey.completed"
    system.leave_alone(key, enabled=True)
    scriptless.goto(f"{LIST}{key}/")
    scriptless.get_by_role("link", name="Attach a channel").click()
    # Add leads to the page that adds a channel, and back.
    scriptless.get_by_role("link", name="Add a channel").click()
    expect(scriptless.get_by_role("heading", name="Add a channel", level=1)).to_be_visible()
    scriptless.get_by_label("Name").fill("Scriptless")
    scriptless.get_by_label("URL", exact=True).fill(receiver.url)
    scriptless.get_by_role("button", name="Save").click()
    expect(scriptless.locator("#ui-said")).to_contain_text("The channel Scriptless was created.")
    expect(scriptless.get_by_label("Channel", exact=True).locator("option:checked")).to_have_text(
        f"Scriptless (Postback, {receiver.url})"
    )
    scriptless.get_by_role("checkbox", name="Admin").uncheck()
    scriptless.get_by_role("button", name="Save").click()
    expect(scriptless.locator("#ui-said")).to_contain_text("Scriptless was linked to Survey completed.")
    assert sources(system, key) == [["shop", "funnel"]]

    # Without scripts nothing opens: the entries of the three dots stand in the row.
    row = scriptless.get_by_role("list", name="Attached channels").locator("li", has_text="Scriptless")
    expect(row.get_by_role("button")).to_have_count(0)
    row.get_by_role("menuitem", name="Edit").click()
    scriptless.get_by_role("checkbox", name="Funnel").uncheck()
    scriptless.get_by_role("button", name="Save").click()
    expect(scriptless.locator("#ui-said")).to_contain_text("The sources of Scriptless were updated.")
    assert sources(system, key) == [["shop"]]

    row.get_by_role("menuitem", name="Delete").click()
    expect(scriptless.get_by_role("heading", name="Remove Scriptless?", level=1)).to_be_visible()
    scriptless.get_by_role("link", name="Cancel").click()
    assert sources(system, key) == [["shop"]]
    row.get_by_role("menuitem", name="Delete").click()
    scriptless.get_by_role("button", name="Delete").click()
    expect(scriptless.locator("#ui-said")).to_contain_text("Scriptless was removed from Survey completed.")
    assert sources(system, key) == []


def test_a_failed_delivery_is_retried(system, no_javascript_page, receiver):
    receiver.answer = lambda request: 503
    system.leave_alone("transaction.declined", enabled=True)
    channel = system.channel("Scriptless retry", receiver.url, "transaction.declined")
    number = system.order("scriptless@example.com")["number"]
    system.purchase(number, "scriptless", status="declined")
    system.settled(1, order=number, channel=channel)

    log_in(no_javascript_page, USER_NAMES[ORDERS])
    open_order(no_javascript_page, number)
    receiver.answer = lambda request: 200
    no_javascript_page.get_by_role("button", name="Retry Transaction declined to Scriptless retry").click()
    expect(no_javascript_page.locator("#ui-said")).to_contain_text(
        "Retry of Transaction declined to Scriptless retry: it is being sent."
    )
    [delivery] = system.settled(1, order=number, channel=channel)
    assert delivery["status"] == "succeeded"
    no_javascript_page.reload()
    expect(no_javascript_page.locator(".ui-postback", has_text="Scriptless retry")).to_contain_text("Succeeded")


def test_a_telephone_shows_the_content_and_the_menu(open_page):
    telephone = open_page(java_script_enabled=False, viewport=PHONE, is_mobile=True, has_touch=True)
    log_in(telephone, USER_NAMES[NOTIFICATIONS])
    telephone.goto(LIST)
    expect(telephone.get_by_role("heading", name="System notifications", level=1)).to_be_in_viewport()
    switches = telephone.get_by_role("main").get_by_role("switch")
    expect(switches).to_have_count(10)
    for switch in switches.all():
        expect(switch).to_be_visible()
        switch.click(trial=True)  # nothing lies over it
    assert scrolls_sideways(telephone) is None
    telephone.get_by_role("link", name="Menu", exact=True).click()
    telephone.locator("#nav-sidebar-apps").get_by_role("link", name="Delivery log").click()
    expect(telephone.get_by_role("heading", name="Delivery log", level=1)).to_be_visible()
    assert scrolls_sideways(telephone) is None


def is_on(system, key: str) -> bool:
    [found] = [each for each in system.call("GET", "/event-types")["results"] if each["key"] == key]
    return bool(found["enabled"])


def sources(system, key: str) -> list[list[str]]:
    return [each["sources"] for each in system.call("GET", f"/event-types/{key}/channels")["results"]]
