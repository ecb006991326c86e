"""How a receiver checks the signature of a notification, in the languages that receivers are written in.

The samples are programs that the tests run, not text: the channel's page and the help page show these very files.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """`language` as people call it, `name` of the file, and its `code`."""

    language: str
    name: str
    code: str


_FILES = {
    "Python": "verify.py",
    "JavaScript": "verify.js",
    "PHP": "verify.php",
    "Ruby": "verify.rb",
    "Go": "verify.go",
}


@cache
def samples() -> tuple[Sample, ...]:
    """One for each language, in the order of the page."""
    folder = Path(__file__).parent
    return tuple(
        Sample(language, name, (folder / name).read_text(encoding="utf-8")) for language, name in _FILES.items()
    )
