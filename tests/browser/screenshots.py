"""Takes a picture of every page of the back office.

`make screenshots`, or `python -m tests.browser.screenshots [--base-url URL] [--out DIR]`: full-page pictures in the
light theme, in the dark one and on a telephone, as `<out>/<theme>/<page>.png`. Without `--base-url` it starts a system
with the demo's data for them; a running one needs the demo's login. It fails where a page answers an error.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser import system
from tests.browser.chromium import DESKTOP, PHONE, path_of_chromium, running_chromium
from tests.browser.pages import PAGES, PUBLIC, find_pages

LOGIN = ("admin", "tidings-demo")  # of load_demo, which only a process with settings can import
THEMES: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "mobile": {"viewport": PHONE, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}


def take(browser: Browser, url: str, out: Path) -> list[str]:
    """Writes the pictures. Returns what went wrong, a line each."""
    wrong = []
    for theme, options in THEMES.items():
        folder = out / theme
        folder.mkdir(parents=True, exist_ok=True)
        with browser.new_context(base_url=url, locale="en-US", reduced_motion="reduce", **options) as context:
            page = context.new_page()
            wrong += take_each(page, PUBLIC, folder)
            page.goto("/admin/login/")
            page.get_by_label("Username").fill(LOGIN[0])
            page.get_by_label("Password").fill(LOGIN[1])
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url("**/admin/")
            pages = find_pages(partial(body_of, page))
            wrong += [
                f"{theme}: {name}: there is no such record in this system." for name in PAGES if name not in pages
            ]
            wrong += take_each(page, pages, folder)
    return wrong


def take_each(page: Page, pages: Mapping[str, str], folder: Path) -> list[str]:
    wrong = []
    for name, path in pages.items():
        answer = page.goto(path)
        if answer is None or answer.status >= 400:
            wrong.append(f"{folder.name}: {name} ({path}) answers {answer and answer.status}.")
        usual = page.viewport_size
        assert usual is not None
        height = page.evaluate("() => document.scrollingElement.scrollHeight")
        # A window as high as the page: what sticks to its edges is in nobody's way.
        page.set_viewport_size({"width": usual["width"], "height": max(usual["height"], height)})
        page.screenshot(path=folder / f"{slug(name)}.png", full_page=True)
        page.set_viewport_size(usual)
    return wrong


def body_of(page: Page, path: str) -> str:
    return page.request.get(path).text()


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@contextmanager
def demo() -> Iterator[str]:
    """A system of its own, which ends and is forgotten afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        launcher, running = system.start(Path(folder) / "data")
        try:
            yield running.url
        finally:
            launcher.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", help="a running system, like http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path(".data/screenshots"))
    arguments = parser.parse_args()
    chromium = path_of_chromium()
    if chromium is None:
        sys.exit("There is no Chromium on the PATH: apt-get install chromium")
    with running_chromium(chromium) as browser:
        if arguments.base_url:
            wrong = take(browser, arguments.base_url, arguments.out)
        else:
            with demo() as url:
                wrong = take(browser, url, arguments.out)
    print(f"The pictures are in {arguments.out.resolve()}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
