"""requirements.txt pins all that is installed, with hashes, and names no host that it came from."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1]
FILES = ["requirements.txt", "requirements-dev.txt"]


def pinned(name: str) -> dict[str, tuple[str, int]]:
    """Package to its version and the number of its hashes."""
    text = (PROJECT / name).read_text().replace("\\\n", " ")
    found: dict[str, tuple[str, int]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line.partition("--hash")[0])
            (exactly,) = requirement.specifier
            assert exactly.operator == "==", line
            found[canonicalize_name(requirement.name)] = exactly.version, line.count("--hash=sha256:")
    return found


def wanted(name: str) -> list[Requirement]:
    """What an .in file asks for, with that of the files which it names."""
    found: list[Requirement] = []
    for line in (PROJECT / name).read_text().splitlines():
        if line.startswith("-r "):
            found += wanted(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def needed(name: str) -> dict[str, str]:
    """All that what an .in file asks for brings along here, to its installed version."""
    found: dict[str, str] = {}
    waiting = [(each, extra) for each in wanted(name) for extra in ("", *each.extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        package = canonicalize_name(requirement.name)
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        installed = distribution(package)
        found[package] = installed.version
        for line in installed.requires or ():
            further = Requirement(line)
            if further.marker is None or further.marker.evaluate({"extra": extra}):
                waiting += [(further, each) for each in ("", *further.extras)]
    return found


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_installed_is_pinned_with_hashes(name: str) -> None:
    pins = pinned(name)
    assert {package for package, (_, hashes) in pins.items() if not hashes} == set()
    here = needed(name.replace(".txt", ".in"))
    assert {package: pins.get(package, ("not pinned", 0))[0] for package in here} == here
    for requirement in wanted(name.replace(".txt", ".in")):
        assert pins[canonicalize_name(requirement.name)][0] in requirement.specifier


def test_developers_have_the_versions_that_run() -> None:
    runtime, development = pinned(FILES[0]), pinned(FILES[1])
    assert {name: development.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("name", [*FILES, "requirements.in", "requirements-dev.in"])
def test_no_host_of_an_index_is_named(name: str) -> None:
    text = (PROJECT / name).read_text()
    assert not re.search(r"https?:|--(extra-)?index|--find-links|--trusted-host|@ ", text)


def test_a_package_that_is_missing_would_be_seen() -> None:
    with pytest.raises(PackageNotFoundError):
        distribution("tidings-nothing")
    assert {"django", "sqlparse", "psycopg-binary", "kombu"} <= set(needed("requirements.in"))
