"""Nothing but a keyboard: every control is reached by Tab, and does its work with Enter, Space, arrows, Escape."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import NOTIFICATIONS, PASSWORD, USER_NAMES

LIST = "/admin/integrations/system-notifications/"
_STOPS_AT_MOST = 150
_DARK = re.compile(r"\bdark\b")
_FOCUSED = "(element) => element === document.activeElement"


@pytest.fixture
def page(page_as) -> Page:
    page: Page = page_as(NOTIFICATIONS)
    return page


def test_an_event_type_is_turned_on_and_off(system, page):
    system.leave_alone("customer.created", enabled=False)
    page.goto("/admin/")
    tab_to(page.locator("#nav-sidebar-apps").get_by_role("link", name="Integrations"))
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("link", name="Configuration"))
    page.keyboard.press("Enter")
    switch = page.get_by_role("switch", name="Customer created")
    tab_to(switch)
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(switch).to_be_focused()
    expect(page.locator("#ui-said")).to_contain_text("Customer created was turned on.")
    page.keyboard.press("Enter")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_focused()
    expect(page.locator("#ui-said")).to_contain_text("Customer created was turned off.")
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    # The name, a link by now, stands before its switch.
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Customer created")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Customer created", level=1)).to_be_visible()


def test_the_skip_link_leads_past_the_menu(page):
    page.goto(LIST)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.closest('main') !== null")


def test_the_three_dots_open_and_are_walked_by_arrows(system, page, receiver):
    system.leave_alone("subscription.canceled", enabled=True)
    system.channel("Dots by keyboard", receiver.url, "subscription.canceled")
    page.goto(f"{LIST}subscription.canceled/")
    dots = page.get_by_role("button", name="Actions for Dots by keyboard")
    edit, delete = page.get_by_role("menuitem", name="Edit"), page.get_by_role("menuitem", name="Delete")
    tab_to(dots)
    expect(dots).to_have_attribute("aria-expanded", "false")
    expect(edit).to_be_hidden()
    page.keyboard.press("Enter")
    expect(dots).to_have_attribute("aria-expanded", "true")
    expect(edit).to_be_focused()
    for key, focused in {"ArrowDown": delete, "ArrowUp": edit, "End": delete, "Home": edit, "d": delete}.items():
        page.keyboard.press(key)
        expect(focused).to_be_focused()
    page.keyboard.press("ArrowDown")  # round to the first one
    expect(edit).to_be_focused()
    page.keyboard.press("Escape")
    expect(dots).to_be_focused()
    expect(dots).to_have_attribute("aria-expanded", "false")
    expect(edit).to_be_hidden()
    page.keyboard.press("ArrowUp")  # opens it at the last one
    expect(delete).to_be_focused()

    # The question begins at Cancel, keeps the focus, and gives it back.
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Remove Dots by keyboard?")
    cancel = question.get_by_role("link", name="Cancel")
    expect(cancel).to_be_focused()
    assert_keeps_focus(question)
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(dots).to_be_focused()

    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(cancel).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(question.get_by_role("button", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#ui-said")).to_contain_text("Dots by keyboard was removed from Subscription canceled.")
    assert system.call("GET", "/event-types/subscription.canceled/channels")["results"] == []


def test_a_channel_is_made_and_attached(system, page, receiver):
    system.leave_alone("subscription.canceled", enabled=True)
    page.goto(f"{LIST}subscription.canceled/")
    tab_to(page.get_by_role("link", name="Attach a channel"))
    page.keyboard.press("Enter")
    add = page.get_by_role("link", name="Add a channel")
    tab_to(add)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add a channel")
    kind = dialog.get_by_label("Kind")
    expect(kind).to_be_focused()
    assert_keeps_focus(dialog)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(add).to_be_focused()

    page.keyboard.press("Enter")
    expect(kind).to_be_focused()
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Typed")
    page.keyboard.press("Tab")
    page.keyboard.type(receiver.url)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    select = page.get_by_label("Channel", exact=True)
    expect(select).to_be_focused()
    expect(select.locator("option:checked")).to_have_text(f"Typed (Postback, {receiver.url})")
    expect(page.locator("#ui-said")).to_contain_text("Typed was created and is chosen.")
    tab_to(page.get_by_role("checkbox", name="Admin"))
    page.keyboard.press("Space")
    tab_to(page.get_by_role("button", name="Save", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator("#ui-said")).to_contain_text("Typed was linked to Subscription canceled.")
    [attached] = system.call("GET", "/event-types/subscription.canceled/channels")["results"]
    assert attached["sources"] == ["shop", "funnel"]


def test_a_refused_channel_leads_to_the_first_error(system, page, complaints):
    page.goto(f"{LIST}subscription.canceled/attach/")
    tab_to(page.get_by_role("link", name="Add a channel"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add a channel")
    expect(dialog.get_by_label("Kind")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("No address")
    page.keyboard.press("Enter")
    url = dialog.get_by_label("URL", exact=True)
    expect(url).to_be_focused()
    expect(url).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Name")).to_have_value("No address")
    assert len(complaints) == 1 and "422" in complaints.pop()
    assert "No address" not in [each["name"] for each in system.call("GET", "/channels")["results"]]


def test_log_in_change_the_theme_and_log_out(visitor):
    visitor.goto("/admin/login/")
    tab_to(visitor.get_by_label("Username"))
    visitor.keyboard.type(USER_NAMES[NOTIFICATIONS])
    visitor.keyboard.press("Tab")
    visitor.keyboard.type(PASSWORD)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()

    menu = visitor.locator("#user-menu-button")
    tab_to(menu)
    expect(menu).to_have_attribute("aria-expanded", "false")
    visitor.keyboard.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    dark, light = (visitor.get_by_role("button", name=theme, exact=True) for theme in ("Dark", "Light"))
    tab_to(dark)
    visitor.keyboard.press("Enter")
    expect(dark).to_have_attribute("aria-pressed", "true")
    expect(visitor.locator("html")).to_have_class(_DARK)
    tab_to(light)
    visitor.keyboard.press("Enter")
    expect(light).to_have_attribute("aria-pressed", "true")
    expect(visitor.locator("html")).not_to_have_class(_DARK)
    visitor.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")

    visitor.keyboard.press("Space")
    expect(menu).to_have_attribute("aria-expanded", "true")
    log_out = visitor.get_by_role("button", name="Log out")
    expect(log_out).to_be_visible()
    tab_to(log_out)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("link", name="Log in again")).to_be_visible()
    visitor.goto("/admin/")
    expect(visitor.get_by_role("button", name="Log in")).to_be_visible()


def tab_to(target: Locator) -> None:
    """Press Tab until the target has the focus."""
    expect(target).to_be_visible()
    for _ in range(_STOPS_AT_MOST):
        if target.evaluate(_FOCUSED):
            return
        target.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {target}")


def assert_keeps_focus(dialog: Locator) -> None:
    """Pressing Tab, forwards and backwards, never leads to what lies behind the dialog, and comes round."""
    page, start = dialog.page, dialog.page.evaluate_handle("() => document.activeElement")
    for key in ("Tab", "Shift+Tab"):
        for _ in range(12):
            page.keyboard.press(key)
            behind = "(dialog) => document.activeElement !== document.body && !dialog.contains(document.activeElement)"
            assert not dialog.evaluate(behind), page.evaluate("() => document.activeElement.outerHTML")
            if start.evaluate(_FOCUSED):
                break
        else:
            raise AssertionError(f"{key} does not come round in the dialog")
