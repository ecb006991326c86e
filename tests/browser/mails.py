"""Takes pictures of the mails that a channel sends.

`python -m tests.embedded -m tests.browser.mails FOLDER`: each mail in the light and in the dark, as wide as a reading
pane and as a telephone, as `<folder>/<mail>.<scheme>.<width>.png`. It fails where one scrolls sideways.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Literal

import django
from playwright.sync_api import Browser

from tests.browser.chromium import path_of_chromium, running_chromium
from tests.browser.inspecting import scrolls_sideways

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (640, 390)


def take(browser: Browser, mails: dict[str, str], folder: Path) -> list[str]:
    """Writes the pictures of this HTML by name. Returns what went wrong, a line each."""
    wrong = []
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        for width in WIDTHS:
            with browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme) as context:
                page = context.new_page()
                for name, html in mails.items():
                    page.set_content(html)
                    if wider := scrolls_sideways(page):
                        wrong.append(f"{name} in the {scheme} at {width} px: {wider}.")
                    page.screenshot(path=folder / f"{name}.{scheme}.{width}.png", full_page=True)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from tests.browser.mail_samples import html_of, notices  # only a process with settings can import it

    chromium = path_of_chromium()
    if chromium is None:
        sys.exit("There is no Chromium on the PATH: apt-get install chromium")
    mails = {name: html_of(notice) for name, notice in notices().items()}
    with running_chromium(chromium) as browser:
        wrong = take(browser, mails, folder)
    print(f"The pictures are in {folder.resolve()}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
