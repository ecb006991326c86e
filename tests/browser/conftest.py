"""One running system and one Chromium for the tests of this folder.

They end with the last test of the folder, not with the session: as long as Playwright runs, its event loop runs in
this thread, and there Django refuses the database to the tests that follow.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser import system as running
from tests.browser.chromium import DESKTOP, NAMES, PHONE, Complaints, path_of_chromium, running_chromium
from tests.browser.people import ADMINISTRATOR, PASSWORD, USER_NAMES
from tests.browser.system import System
from tests.servers.receiver import Receiver

_HERE = Path(__file__).parent
_PATIENCE_MS = 20_000

PageAs = Callable[[str], Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def chromium() -> str:
    """The path of the browser. Without one the test is skipped, or fails where REQUIRE_BROWSER is set."""
    path = path_of_chromium()
    if path is None:
        reason = f"needs a Chromium on the PATH ({', '.join(NAMES)}): apt-get install chromium"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="package")
def system(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    launcher, system = running.start(tmp_path_factory.mktemp("browser") / "data")
    try:
        yield system
    finally:
        launcher.end()


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=_PATIENCE_MS)
    with running_chromium(chromium) as browser:
        yield browser


@pytest.fixture(scope="package")
def logins(system: System, browser: Browser) -> Callable[[str], StorageState]:
    """The cookies of a role, whose person logs in the first time that they are asked for."""
    kept: dict[str, StorageState] = {}

    def login(role: str) -> StorageState:
        if role not in kept:
            with browser.new_context(base_url=system.url) as context:
                log_in(context.new_page(), USER_NAMES[role])
                kept[role] = context.storage_state()
        return kept[role]

    return login


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()


def open_order(page: Page, number: str) -> None:
    page.goto(f"/admin/orders/order/?q={number}")
    page.get_by_role("main").get_by_role("link", name=number, exact=True).click()
    expect(page.get_by_role("region", name="Postbacks")).to_be_visible()
    page.wait_for_load_state()  # A button pressed before the scripts are there works too, but by a whole new page.


@pytest.fixture
def complaints() -> Complaints:
    """What the browser complained of so far: a test in which it is meant to takes what it expected out of it."""
    return Complaints()


@pytest.fixture
def open_page(system: System, browser: Browser, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """`open_page(**options)`: a page of a fresh context. The test fails on what the browser complains of."""
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        settings = {"viewport": DESKTOP, "locale": "en-US", "reduced_motion": "reduce", **options}
        context = browser.new_context(base_url=system.url, **settings)
        contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        context.on("page", complaints.listen_to)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page_as(open_page: Callable[..., Page], logins: Callable[[str], StorageState]) -> PageAs:
    """`page_as("Order staff")`: a page of a person of that role, logged in."""
    return lambda role: open_page(storage_state=logins(role))


@pytest.fixture
def page(page_as: PageAs) -> Page:
    """A page of a superuser."""
    return page_as(ADMINISTRATOR)


@pytest.fixture
def visitor(open_page: Callable[..., Page]) -> Page:
    """A page of somebody who has not logged in."""
    return open_page()


@pytest.fixture
def no_javascript_page(open_page: Callable[..., Page]) -> Page:
    """A page of somebody who has not logged in and whose browser runs no scripts."""
    return open_page(java_script_enabled=False)


@pytest.fixture
def phone(open_page: Callable[..., Page], logins: Callable[[str], StorageState]) -> Page:
    """A superuser's telephone, 390 pixels wide."""
    return open_page(viewport=PHONE, is_mobile=True, has_touch=True, storage_state=logins(ADMINISTRATOR))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
