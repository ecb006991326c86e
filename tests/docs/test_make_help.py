"""`make help` lists every target with a sentence."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str) -> str:
    done = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_each_target_has_a_sentence():
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert targets
    listed = re.findall(r"^make (\S+) +([A-Z].+\.)$", make("help"), re.MULTILINE)
    assert [target for target, _ in listed] == targets[1].split()


def test_make_alone_starts_a_copy():
    assert make("-n") == make("-n", "run")
