"""From the menu to the first notification that arrives, click by click as the manual describes it."""

from playwright.sync_api import Page, expect
from standardwebhooks.webhooks import Webhook

from notifications.events import EVENT_TYPES
from tests.waiting import wait_until

KEY = "transaction.approved"
LABEL = "Approved transaction"
PATH = f"/admin/integrations/system-notifications/{KEY}/"


def test_the_click_path_of_the_manual_leads_to_a_signed_notification(system, page, receiver):
    system.leave_alone(KEY, enabled=False)
    page.goto("/admin/")
    page.locator("#nav-sidebar-apps").get_by_role("link", name="Integrations", exact=True).click()
    page.locator(".ui-card", has_text="System notifications").get_by_role("link", name="Configuration").click()
    expect(page.get_by_role("heading", name="System notifications", level=1)).to_be_visible()
    labels = [event_type.label for event_type in EVENT_TYPES.values()]
    expect(page.get_by_role("main").locator("li h2")).to_have_text(labels)

    # The switch: it takes no reload, and the name becomes a link.
    page.evaluate("() => { window.kept = true; }")
    name = page.get_by_role("link", name=LABEL, exact=True)
    expect(name).to_have_count(0)
    switch = page.get_by_role("switch", name=LABEL, exact=True)
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(page.locator("#ui-said")).to_contain_text(f"{LABEL} was turned on. No channel is attached to it yet")
    assert page.evaluate("() => window.kept")

    # Its channels: none so far.
    name.click()
    expect(page.get_by_text("No channel hears of this yet.")).to_be_visible()
    expect(page.get_by_role("list", name="Attached channels")).to_have_count(0)
    button = page.get_by_role("link", name="Attach a channel", exact=True)
    box, window = button.bounding_box(), page.viewport_size
    assert box is not None and window is not None
    assert box["width"] == box["height"]  # round
    assert window["width"] - box["x"] - box["width"] < 60
    assert window["height"] - box["y"] - box["height"] < 60
    button.click()

    # The form; Add makes the channel and chooses it.
    expect(page.get_by_label("Channel", exact=True)).to_have_value("")
    page.get_by_role("link", name="Add a channel", exact=True).click()
    dialog = page.get_by_role("dialog", name="Add a channel")
    dialog.get_by_label("Name").fill("Click path")
    dialog.get_by_label("URL", exact=True).fill(receiver.url)
    dialog.get_by_role("button", name="Create channel").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_label("Channel", exact=True).locator("option:checked")).to_have_text(
        f"Click path (Postback, {receiver.url})"
    )
    secret = page.locator("#new-secret").inner_text()
    for source in ("Admin", "Shop", "Funnel"):
        expect(page.get_by_role("checkbox", name=source)).to_be_checked()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#ui-said")).to_contain_text(f"Click path was linked to {LABEL}.")
    row = attached(page, "Click path")
    expect(row).to_contain_text(receiver.url)
    expect(row.locator(".ui-row-labels .ui-label")).to_have_text(["Admin", "Shop", "Funnel"])

    # And somebody buys.
    number = system.order("click-path@example.com")["number"]
    system.purchase(number, "click-path-1")
    wait_until(lambda: receiver.received)
    [received] = receiver.received
    assert Webhook(secret).verify(received.body, received.headers) == received.event
    assert received.event["type"] == KEY
    assert received.event["data"]["order"]["number"] == number
    assert received.event["data"]["transaction"]["reference"] == "click-path-1"
    [delivery] = system.settled(1, order=number, event_type=KEY)
    assert (delivery["status"], delivery["event"]) == ("succeeded", received.id)


def test_the_three_dots_edit_the_sources_and_delete_after_asking(system, page, receiver):
    system.leave_alone(KEY, enabled=True)
    channel = system.channel("Three dots", receiver.url, KEY)
    page.goto(PATH)
    row = attached(page, "Three dots")
    dots = row.get_by_role("button", name="Actions for Three dots")

    dots.click()
    page.get_by_role("menuitem", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Sources of Three dots")
    dialog.get_by_role("checkbox", name="Admin").uncheck()
    dialog.get_by_role("checkbox", name="Funnel").uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#ui-said")).to_contain_text("The sources of Three dots were updated.")
    expect(row.locator(".ui-row-labels .ui-label")).to_have_text(["Shop"])

    question = page.get_by_role("dialog", name="Remove Three dots?")
    dots.click()
    page.get_by_role("menuitem", name="Delete").click()
    question.get_by_role("link", name="Cancel").click()
    expect(question).to_be_hidden()
    expect(dots).to_be_focused()
    assert attachments(system) == [(channel, ["shop"])]

    dots.click()
    page.get_by_role("menuitem", name="Delete").click()
    question.get_by_role("button", name="Delete").click()
    expect(page.locator("#ui-said")).to_contain_text(f"Three dots was removed from {LABEL}.")
    expect(page.get_by_text("No channel hears of this yet.")).to_be_visible()
    assert attachments(system) == []


def test_attaching_a_channel_twice_says_so(system, page, receiver):
    system.leave_alone(KEY, enabled=True)
    channel = system.channel("Twice", receiver.url)
    stale = page.context.new_page()
    for form in (page, stale):
        form.goto(f"{PATH}attach/")
        form.get_by_label("Channel", exact=True).select_option(channel)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#ui-said")).to_contain_text(f"Twice was linked to {LABEL}.")

    stale.get_by_role("checkbox", name="Shop").uncheck()
    stale.get_by_role("button", name="Save", exact=True).click()
    expect(stale.get_by_role("main")).to_contain_text(f"Twice is attached to {LABEL} already.")
    assert attachments(system) == [(channel, ["admin", "shop", "funnel"])]


def attached(page: Page, channel: str):
    return page.get_by_role("list", name="Attached channels").locator("li", has_text=channel)


def attachments(system):
    return [
        (each["channel"], each["sources"]) for each in system.call("GET", f"/event-types/{KEY}/channels")["results"]
    ]
