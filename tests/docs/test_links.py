"""What the documents name is there: pages, headings, files, modules. Each page can be reached from the README."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
# It tells of what was, too.
PRESENT = [name for name in NAMES if name != "CHANGELOG.md"]
# Where operators put what is their own: templates, an environment, certificates.
NOT_OURS = {"templates/channels_app/mail/", "deploy/.env", "deploy/tls/"}
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
FILES = {
    path.name
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "node_modules" not in path.parts
} | {path.name for path in ROOT.iterdir()}

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
ROOM = "|".join(FOLDERS)
A_PATH = re.compile(rf"(?<![\w/.<-])((?:{ROOM})(?:/[\w.<>*-]+)+/?)")
A_MODULE = re.compile(rf"(?<![\w/.<@-])((?:{ROOM})(?:\.\w+)+)")
A_FILE = re.compile(r"`([\w-]+\.(?:py|md|toml|html|txt|css|js))`")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def links_of(name: str) -> Iterator[tuple[Path, str]]:
    """The file and the heading that each link to something of ours leads to."""
    for inline, reference in LINK.findall(FENCE.sub("", text_of(name))):
        target = inline or reference
        if re.match(r"(https?|mailto):", target):
            continue
        file, _, heading = target.partition("#")
        yield ((ROOT / name).parent / file).resolve() if file else ROOT / name, heading


def headings_of(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of headings."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return anchors


def is_there(module: str) -> bool:
    """Whether a dotted name is a module, or stands in the module that it begins with."""
    path, parts = ROOT, module.split(".")
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if parts and (path / f"{parts[0]}.py").is_file():
        path /= f"{parts.pop(0)}.py"
    elif parts:
        path /= "__init__.py"
    return not parts or (path.is_file() and all(re.search(rf"\b{part}\b", path.read_text()) for part in parts))


@pytest.mark.parametrize("name", NAMES)
def test_no_link_is_dead(name):
    dead = [
        f"{page.relative_to(ROOT) if page.is_relative_to(ROOT) else page}#{heading}"
        for page, heading in links_of(name)
        if not page.is_relative_to(ROOT)
        or not page.exists()
        or (heading and (page.suffix != ".md" or heading not in headings_of(page)))
    ]
    assert dead == []


@pytest.mark.parametrize("name", PRESENT)
def test_each_file_that_is_named_exists(name):
    text = text_of(name)
    paths = [found.rstrip(".") for found in A_PATH.findall(text)]
    missing = [path for path in paths if not re.search("[<*]", path) and not (ROOT / path).exists()]
    missing = [path for path in missing if path not in NOT_OURS]
    missing += [module for module in A_MODULE.findall(text) if not is_there(module)]
    missing += [file for file in A_FILE.findall(text) if file not in FILES]
    assert missing == []


def test_each_page_can_be_reached_from_the_readme():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page.is_dir():
            page /= "README.md"
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            ahead += [target for target, _ in links_of(str(page.relative_to(ROOT)))]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == [], "No page links to these."


def test_what_the_test_looks_for_is_found():
    """Its patterns see what they are meant for."""
    sample = "See `notifications/delivery/claim.py`, orders/services/ and notifications.tasks.deliver_due, `gone.py`."
    assert A_PATH.findall(sample) == ["notifications/delivery/claim.py", "orders/services/"]
    assert A_MODULE.findall(sample) == ["notifications.tasks.deliver_due"]
    assert A_FILE.findall(sample) == ["gone.py"]
    assert is_there("notifications.tasks.deliver_due") and is_there("config.web.gunicorn")
    assert not is_there("notifications.tasks.nothing_of_the_kind") and not is_there("notifications.nowhere")
    assert "who-locks-what-in-which-order" in headings_of(ROOT / "docs" / "engine.md")
    assert list(links_of("docs/alerts.md")) or list(links_of("docs/engine.md"))
