"""Decisions are numbered, dated and listed; the changelog knows the version."""

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"


def test_decisions_are_numbered_dated_and_listed():
    listed = re.findall(r"^\| \[(\d+)\]\((\S+)\) \| (.+) \| (\S+) \|$", (DECISIONS / "README.md").read_text(), re.M)
    pages = []
    for page in sorted(DECISIONS.glob("[0-9]*.md")):
        head = re.match(r"# (\d+)\. (.+)\n\nDate: (\d{4}-\d\d-\d\d)[.\n]", page.read_text(encoding="utf-8"))
        assert head, page.name
        assert page.name.startswith(f"{int(head[1]):04d}-")
        pages.append((head[1], page.name, head[2], head[3]))
    assert listed == pages
    assert [int(number) for number, *_ in pages] == list(range(1, len(pages) + 1))


def test_the_newest_version_of_the_changelog_is_ours():
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert versions[0] == "Unreleased"
    assert versions[1] == settings.VERSION
