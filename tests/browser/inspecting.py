"""What is wrong with an open page: for people who do not see it, use no mouse, or hold it in their hand."""

import contextlib

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, TimeoutError

_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_AXE = """
async (only) => {
    const found = await axe.run(document, {runOnly: only, resultTypes: ["violations"], elementRef: false});
    return found.violations.flatMap((violation) =>
        violation.nodes.map((node) => `${violation.id}: ${node.target.join(" ")} ${node.html.slice(0, 160)}`));
}
"""
_TAB_STOPS_AT_MOST = 400
_FIRST_TABS_AT_MOST = 20
# Also what has become clickable by a script alone: it is to be seen by its pointer.
_LISTEN = """
() => {
    window.tabStops = new Set();
    window.tabbedRound = false;
    document.addEventListener("focusin", ({target}) => {
        const [first] = window.tabStops;
        window.tabbedRound ||= target === first;
        window.tabStops.add(target);
    }, true);
    document.activeElement?.blur();
}
"""
_MOUSE_ONLY = r"""
() => {
    const controls = "a[href], button, input, select, textarea, summary, [role=button], [role=link], [role=menuitem],"
        + " [role=switch], [role=tab], [role=checkbox], [x-on\\:click], [\\@click], [onclick], [hx-get], [hx-post]";
    const points = (element) => getComputedStyle(element).cursor === "pointer";
    const shown = (element) => {
        const box = element.getBoundingClientRect();
        const visible = element.checkVisibility({visibilityProperty: true, opacityProperty: true});
        return visible && box.width > 1 && box.height > 1 && !element.closest("[inert]");
    };
    const wanted = (element) => {
        if (element.closest("label") || element.matches("option, :disabled, [aria-disabled=true]")) return false;
        if (element.matches(controls)) return true;
        return points(element) && !points(element.parentElement);
    };
    const grouped = (element) =>  // arrow keys lead to the other radio buttons of a group
        element.matches("input[type=radio]") && [...window.tabStops].some((stop) => stop.name === element.name);
    const reached = (element) =>
        [...window.tabStops].some((stop) => stop.contains(element) || element.contains(stop)) || grouped(element);
    return [...document.querySelectorAll("body *")]
        .filter((element) => wanted(element) && shown(element) && !reached(element))
        .map((element) => element.outerHTML.slice(0, 160));
}
"""


def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 A and AA, in the light theme and then, of colours, in the dark one."""
    page.add_style_tag(content="* { transition: none !important }")  # colours are to be read when they have changed
    page.evaluate(AXE_SCRIPT)
    _show(page, dark=False)
    found = page.evaluate(_AXE, {"type": "tag", "values": _STANDARDS})
    _show(page, dark=True)
    in_the_dark = page.evaluate(_AXE, {"type": "rule", "values": ["color-contrast", "link-in-text-block"]})
    return [f"light: {each}" for each in found] + [f"dark: {each}" for each in in_the_dark]


def _show(page: Page, *, dark: bool) -> None:
    page.evaluate("(dark) => { document.documentElement.classList.toggle('dark', dark) }", dark)


def mouse_only(page: Page) -> list[str]:
    """The HTML of what can be clicked and is not reached by pressing Tab, until the first gets the focus again."""
    page.bring_to_front()
    page.evaluate(_LISTEN)
    for _ in range(_FIRST_TABS_AT_MOST):  # a page that has only just come to the front may miss some
        page.keyboard.press("Tab")
        with contextlib.suppress(TimeoutError):
            page.wait_for_function("() => window.tabStops.size", timeout=500)
            break
    for _ in range(_TAB_STOPS_AT_MOST // 10):
        for _ in range(10):
            page.keyboard.press("Tab")
        if page.evaluate("() => window.tabbedRound"):
            break
    found: list[str] = page.evaluate(_MOUSE_ONLY)
    return found


def scrolls_sideways(page: Page) -> str | None:
    """How much wider than the window the page is; None when it fits."""
    width, window = page.evaluate("() => [document.scrollingElement.scrollWidth, window.innerWidth]")
    return None if width <= window else f"{width} px of content in {window} px"
