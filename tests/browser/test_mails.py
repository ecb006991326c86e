"""The mails that channels send can be read in the light and in the dark, on a telephone and without seeing them."""

import pytest
from playwright.sync_api import Browser, Page

from notifications.events import EVENT_TYPES
from tests.browser.chromium import DESKTOP, PHONE, Complaints
from tests.browser.inspecting import scrolls_sideways, violations
from tests.browser.mail_samples import html_of, notices
from tests.browser.mails import SCHEMES, WIDTHS, take

# Each mail is looked at, and other tests may want the processor at the same time.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def mails() -> dict[str, str]:
    """The HTML of each by name."""
    return {name: html_of(notice) for name, notice in notices().items()}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_is_wrong_with_any_mail(browser, mails, scheme):
    assert set(EVENT_TYPES) < set(mails)
    complaints, wrong = Complaints(), []
    with browser.new_context(viewport=DESKTOP, color_scheme=scheme) as context:
        page = context.new_page()
        complaints.listen_to(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for name, html in mails.items():
            wrong += [f"{name}: {fault}" for fault in faults(page, html)]
    assert not wrong, "\n".join([f"{len(wrong)} faults", *wrong])
    assert (complaints, asked) == ([], [])


def test_the_dark_is_dark(browser: Browser, mails: dict[str, str]) -> None:
    shown = {}
    for scheme in SCHEMES:
        with browser.new_context(color_scheme=scheme) as context:
            page = context.new_page()
            page.set_content(mails["order.completed"])
            shown[scheme] = page.evaluate("() => getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert shown == {"light": "rgb(255, 255, 255)", "dark": "rgb(30, 41, 57)"}


def test_pictures_are_taken_and_a_mail_that_is_too_wide_is_named(browser, mails, tmp_path):
    some = {"fits": mails["alert"], "too-wide": "<p style='width:600px'>A wide one</p>"}
    wrong = take(browser, some, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{scheme}.{width}.png" for name in some for scheme in SCHEMES for width in WIDTHS
    )
    assert [line.partition(":")[0] for line in wrong] == [f"too-wide in the {scheme} at 390 px" for scheme in SCHEMES]


def faults(page: Page, html: str) -> list[str]:
    """What is wrong with a mail, at the width of a reading pane and on a telephone."""
    page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"]})
    page.set_content(html)
    found = violations(page)
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    if wider := scrolls_sideways(page):
        found.append(f"on a telephone: {wider}")
    return found
