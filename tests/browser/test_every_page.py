"""Every page can be used without a mouse, by whoever does not see it, in both themes and on a telephone."""

import pytest
from playwright.sync_api import Page, Response

from tests.browser.chromium import PHONE, Complaints
from tests.browser.inspecting import mouse_only, scrolls_sideways, violations
from tests.browser.pages import PAGES, PUBLIC, find_pages
from tests.browser.people import ADMINISTRATOR

# A test opens up to forty pages, and other tests may want the processor at the same time.
pytestmark = pytest.mark.timeout(300)

AREAS = {
    "shop": ("orders",),
    "logs": ("notifications",),
    "integrations": ("integrations", "channels_app"),
    "users and keys": ("auth", "api"),
}
ELSEWHERE = "elsewhere"


@pytest.fixture(scope="module")
def pages(system, browser, logins) -> dict[str, str]:
    with browser.new_context(base_url=system.url, storage_state=logins(ADMINISTRATOR)) as context:
        page = context.new_page()
        pages = find_pages(lambda path: body_of(page, path))
    assert list(pages) == list(PAGES), "the demo lacks a record whose pages are listed"
    return pages


@pytest.mark.parametrize("area", [*AREAS, ELSEWHERE])
def test_nothing_is_wrong_with_any_page_of_an_administrator(page, pages, area):
    there = {name: path for name, path in pages.items() if area_of(path) == area}
    assert there != {}
    assert_nothing_wrong(page, there)


def test_nothing_is_wrong_with_any_page_of_a_visitor(visitor):
    assert_nothing_wrong(visitor, PUBLIC)


def area_of(path: str) -> str:
    """By the part of the path that follows `/admin/`."""
    first = path.split("/")[2]
    return next((area for area, parts in AREAS.items() if first in parts), ELSEWHERE)


def body_of(page: Page, path: str) -> str:
    answer = page.request.get(path)
    assert answer.status == 200, (path, answer.status)
    return answer.text()


def assert_nothing_wrong(page: Page, pages: dict[str, str]) -> None:
    complaints = Complaints()
    complaints.listen_to(page)
    wrong = []
    for name, path in pages.items():
        found = faults(page, page.goto(path))
        found += [f"browser: {complaint}" for complaint in complaints]
        complaints.clear()
        wrong += [f"{name} ({path}): {fault}" for fault in found]
    assert not wrong, "\n".join([f"{len(wrong)} faults", *wrong])


def faults(page: Page, answer: Response | None) -> list[str]:
    """What is wrong with the page that has just been opened, which is left with the size of the window as it was."""
    if answer is None or answer.status != 200:
        return [f"answers {answer and answer.status}"]
    found = violations(page)
    found += [f"by mouse only: {html}" for html in mouse_only(page)]
    desktop = page.viewport_size
    assert desktop is not None
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    if wider := scrolls_sideways(page):
        found.append(f"on a telephone: {wider}")
    page.set_viewport_size(desktop)
    return found
