"""Retry on the page of an order: what it does, what it says, and who has it."""

import threading

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_order
from tests.browser.people import ORDERS, VIEWERS
from tests.servers.receiver import Receiver


@pytest.fixture
def broken(receiver: Receiver) -> Receiver:
    receiver.answer = lambda request: 503
    return receiver


def test_a_row_becomes_succeeded_by_itself_after_a_retry(system, page_as, broken):
    system.leave_alone("transaction.declined", enabled=True)
    channel = system.channel("Retried", broken.url, "transaction.declined")
    page = open_failed(system, page_as(ORDERS), "retried@example.com", channel)
    page.evaluate("() => { window.kept = true; }")
    row = postback(page, "Transaction declined to Retried")
    expect(row).to_contain_text("Failed")
    expect(row).to_contain_text("4 attempts")
    expect(page.locator("#postbacks-at-a-glance")).to_contain_text("0 of 1 postback delivered, 1 failed.")
    assert len(broken.received) == 4

    # The receiver works again, and takes its time.
    held = threading.Event()
    broken.answer = lambda request: 200 if held.wait(20) else 500
    try:
        row.get_by_role("button", name="Retry Transaction declined to Retried").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#ui-said")).to_contain_text("Retry of Transaction declined to Retried: it is being sent.")
        expect(row).to_contain_text("Pending")
        expect(row.get_by_role("button")).to_have_count(0)
        expect(row.get_by_role("link")).to_be_focused()
    finally:
        held.set()

    expect(row).to_contain_text("Succeeded")
    expect(row).to_contain_text("Answer: 200")
    expect(row).to_contain_text("5 attempts")
    expect(page.locator("#postbacks-said")).to_have_text("Transaction declined to Retried: succeeded with answer 200.")
    expect(page.locator("#postbacks-at-a-glance")).to_have_text("1 of 1 postback delivered.")
    expect(row.get_by_role("link")).to_be_focused()
    assert page.evaluate("() => window.kept")
    assert len(broken.received) == 5
    assert len({(request.id, request.body) for request in broken.received}) == 1


def test_a_retry_that_fails_again_says_so_and_can_be_tried_again(system, page_as, broken):
    system.leave_alone("transaction.declined", enabled=True)
    channel = system.channel("Still broken", broken.url, "transaction.declined")
    page = open_failed(system, page_as(ORDERS), "still-broken@example.com", channel)
    page.evaluate("() => { window.kept = true; }")
    row = postback(page, "Transaction declined to Still broken")
    row.get_by_role("button", name="Retry").click()
    expect(row).to_contain_text("8 attempts")
    expect(row).to_contain_text("Failed")
    expect(page.locator("#postbacks-said")).to_have_text(
        "Transaction declined to Still broken: failed with answer 503."
    )
    expect(row.get_by_role("button", name="Retry")).to_be_enabled()
    assert page.evaluate("() => window.kept")
    assert len(broken.received) == 8


def test_an_event_type_without_a_retry_says_so(system, page_as, broken):
    system.leave_alone("shipping.tracking_updated", enabled=True)
    channel = system.channel("Parcels", broken.url, "shipping.tracking_updated")
    order = system.order("parcels@example.com")
    system.call("PUT", f"/orders/{order['number']}/tracking", carrier="UPS", number="1Z999")
    system.settled(1, order=order["number"], channel=channel)
    page = page_as(ORDERS)
    open_order(page, order["number"])
    row = postback(page, "Shipping tracking info updated to Parcels")
    expect(row).to_contain_text("Failed")
    expect(row).to_contain_text("No retry: Shipping tracking info updated has no manual retry.")
    expect(row.get_by_role("button")).to_have_count(0)


def test_whoever_may_not_retry_has_no_button_and_is_refused(system, page_as, broken, complaints):
    system.leave_alone("transaction.declined", enabled=True)
    channel = system.channel("Only looked at", broken.url, "transaction.declined")
    page = open_failed(system, page_as(VIEWERS), "only-looked-at@example.com", channel)
    row = postback(page, "Transaction declined to Only looked at")
    expect(row).to_contain_text("Failed")
    expect(row.get_by_role("button")).to_have_count(0)
    expect(row).not_to_contain_text("No retry")

    # Nor by sending what the button would send: the token is the viewer's own.
    [delivery] = system.deliveries(channel=channel)
    token = page.evaluate("() => JSON.parse(document.getElementById('page').getAttribute('hx-headers'))['X-CSRFToken']")
    address = page.url.replace("/change/", f"/postbacks/{delivery['id']}/retry/")
    answer = page.request.post(address, headers={"X-CSRFToken": token, "Referer": page.url})
    assert answer.status == 403
    assert "Can change delivery" in answer.text()
    assert system.deliveries(channel=channel) == [delivery]
    assert len(broken.received) == 4


def open_failed(system, page: Page, email: str, channel: str) -> Page:
    """The page of an order whose payment was declined, once the delivery of that has failed for good."""
    order = system.order(email)
    system.purchase(order["number"], email, status="declined", decline_code="51", decline_message="No funds")
    system.settled(1, order=order["number"], channel=channel)
    open_order(page, order["number"])
    return page


def postback(page: Page, name: str):
    return page.get_by_role("region", name="Postbacks").locator(".ui-postback", has_text=name)
