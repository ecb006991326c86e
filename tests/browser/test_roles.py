"""What people of each role find in their menu, and what they can do on the pages that they open."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_order
from tests.browser.people import ADMINISTRATOR, NOTIFICATIONS, ORDERS, VIEWERS

SHOP = ["Orders", "Contacts", "Products", "Funnels", "Subscriptions", "Quotes", "Surveys"]
LOG = ["Integrations", "Delivery log", "Events"]
DEMO = ["Outbox", "Slack messages", "Receivers"]
HELP = ["How to create a channel", "Event catalogue", "API documentation"]
MENUS = {
    ADMINISTRATOR: [
        "Dashboard",
        *SHOP,
        *LOG,
        "Channels",
        "Alerts",
        "History",
        "Users",
        "Groups",
        "API keys",
        *HELP,
        *DEMO,
    ],
    NOTIFICATIONS: ["Dashboard", *LOG, "Channels", "Alerts", "History", "API keys", *HELP, *DEMO],
    ORDERS: ["Dashboard", *SHOP, *LOG, "API documentation", *DEMO],
    VIEWERS: ["Dashboard", *SHOP, *LOG, "Channels", "Alerts", "History", *HELP, *DEMO],
}


def test_the_menu_of_an_administrator(page):
    assert list(menu(page)) == MENUS[ADMINISTRATOR]


@pytest.mark.parametrize("role", [NOTIFICATIONS, ORDERS, VIEWERS])
def test_a_role_has_its_own_menu_and_what_is_not_in_it_answers_403(role, page, page_as, complaints):
    everything, page = menu(page), page_as(role)
    own = menu(page)
    assert list(own) == MENUS[role]
    refused = {words: address for words, address in everything.items() if words not in own}
    assert {words: page.request.get(address).status for words, address in refused.items()} == dict.fromkeys(
        refused, 403
    )

    # As it looks: in the shell, with what is missing, and the way back.
    answer = page.goto(refused["Users"])
    assert answer is not None and answer.status == 403
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("Your account has no permission for this:")
    expect(page.get_by_role("main")).to_contain_text("Can view user")
    expect(page.locator("#nav-sidebar-apps").get_by_role("link", name="Dashboard")).to_be_visible()
    assert page.locator("main .ui-panel").evaluate("(panel) => getComputedStyle(panel).borderStyle") == "solid"
    page.get_by_role("link", name="To the dashboard").click()
    expect(page.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()
    assert len(complaints) == 1 and "403" in complaints.pop()


def test_viewers_change_nothing_where_others_do(system, page_as, receiver):
    order, channel = told_in_vain(system, "roles@example.com", receiver)
    event_type = "/admin/integrations/system-notifications/refund.applied/"

    staff = page_as(ORDERS)
    open_order(staff, order)
    # Other channels may have been told of this order in vain as well.
    assert {"Set tracking", "Retry Refund applied to roles@example.com"} <= set(controls(staff))

    administrator = page_as(NOTIFICATIONS)
    administrator.goto(event_type)
    assert controls(administrator) == ["Actions for roles@example.com", "Attach a channel"]
    administrator.goto(channel)
    assert controls(administrator) == ["Pause", "Edit", "Delete", "Send test", "Replay failed ones", "Reveal", "Rotate"]

    viewer = page_as(VIEWERS)
    open_order(viewer, order)
    expect(viewer.get_by_role("main")).to_contain_text("You may look at this order, but not change it.")
    assert controls(viewer) == []
    for address, shown in {event_type: "roles@example.com", channel: receiver.url}.items():
        viewer.goto(address)
        expect(viewer.get_by_role("main")).to_contain_text(shown)
        assert controls(viewer) == [], address
    viewer.goto("/admin/integrations/system-notifications/")
    switches = viewer.get_by_role("main").get_by_role("switch")
    expect(switches).to_have_count(10)
    for switch in switches.all():
        expect(switch).to_be_disabled()


def menu(page: Page) -> dict[str, str]:
    """The sidebar: words to address, in its order."""
    page.goto("/admin/")
    found: list[list[str]] = page.locator("#nav-sidebar-apps a").evaluate_all(
        "(links) => links.map((link) => [link.querySelector('span:not([aria-hidden])').innerText, link.href])"
    )
    return dict(found)


def controls(page: Page) -> list[str]:
    """The names of what changes something on a page: its buttons, less those that copy, and what opens a form."""
    found: list[str] = page.locator("main").evaluate(
        """(main) => [...main.querySelectorAll("button:not([data-copy]), a[data-dialog]:not([role]), a.ui-fab, form a,"
            + " input:not([type=hidden]), a[href$='/edit/'], a[href$='/attach/']")]
            .filter((control) => control.checkVisibility())
            .map((control) => control.getAttribute("aria-label") ?? control.textContent)"""
    )
    return list(dict.fromkeys(found))


def told_in_vain(system, name: str, receiver) -> tuple[str, str]:
    """A refund that a channel was told of in vain: the number of the order, and the page of the channel."""
    receiver.answer = lambda request: 503
    system.leave_alone("refund.applied", enabled=True)
    channel = system.channel(name, receiver.url, "refund.applied")
    order = system.order(name)
    system.purchase(order["number"], name)
    system.call("POST", f"/orders/{order['number']}/refunds", kind="void")
    system.settled(1, order=order["number"], channel=channel)
    return order["number"], f"/admin/channels_app/channel/{channel}/change/"
