"""The table of docs/settings.md is what the settings read: each variable, no other, and their defaults."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import NAMES
from demo.local.environment import for_children
from tests.settings_file import read_settings

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
KEYS = {"SECRET_KEY": "a-secret-of-its-own", "SECRETS_ENCRYPTION_KEYS": "Zm9yIHRoZSB0ZXN0cyBvZiBwcm9kdWN0aW9uLCAzMiA="}
# Defaults that follow from another setting are said in words. What they come to without a PUBLIC_URL:
COMPUTED: dict[str, Any] = {
    "ALLOWED_HOSTS": ("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"]),
    "EMAIL_FROM": ("DEFAULT_FROM_EMAIL", "Tidings <tidings@localhost>"),
}


class Row(NamedTuple):
    name: str
    default: str
    with_make_run: str


def literal(cell: str) -> str | None:
    """The value in a cell that is nothing but a value; None for words."""
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found and found.group(1)


ROWS = [
    Row(name, default, with_make_run.strip())
    for name, default, with_make_run in re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|(.*?)\| ", PAGE, re.MULTILINE)
]
BY_NAME = {row.name: row for row in ROWS}


class Recorded(dict[str, str]):
    """An environment that remembers which variables the modules of `config` have asked for, and from which function."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[tuple[str, str]] = set()

    def _note(self, name: object) -> None:
        frame = sys._getframe(2)
        while frame.f_back and not Path(frame.f_code.co_filename).is_relative_to(CONFIG):
            frame = frame.f_back
        if Path(frame.f_code.co_filename).is_relative_to(CONFIG):
            self.asked.add((str(name), frame.f_code.co_name))

    def __getitem__(self, name: str) -> str:
        self._note(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._note(name)
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._note(name)
        return super().get(name, default)


def load(data: Path, **given: str) -> tuple[dict[str, Any], Recorded]:
    """The settings of production with these variables beside its keys, and what they have asked for."""
    others = {name: value for name, value in os.environ.items() if name not in NAMES}
    environment = Recorded({**others, **KEYS, "DATA_DIR": str(data), **given})
    with mock.patch.object(os, "environ", environment), mock.patch.object(environ.Env, "ENVIRON", environment):
        return read_settings(), environment


def comparable(settings: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: re.sub(r" at 0x[0-9a-f]+", "", repr(value)) for name, value in settings.items() if re.match("[A-Z]", name)
    }


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def test_each_variable_that_is_read_stands_in_it_once_and_none_other(data):
    _, environment = load(data)
    read = {name for name, function in environment.asked if function != "load"} | {"DATA_DIR"}
    assert sorted(row.name for row in ROWS) == sorted(read) == sorted(NAMES)


def test_nothing_else_of_the_product_reads_the_environment():
    readers = {
        str(path.relative_to(ROOT))
        for room in ("config", "backoffice", "api", "notifications", "orders", "channels_app", "demo")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"os\.environ(?!\.setdefault)|getenv|environb", path.read_text(encoding="utf-8"))
        and "local" not in path.parts  # the launcher, which passes it on
    }
    assert readers == {"config/environment.py"}


@pytest.mark.parametrize("row", [row for row in ROWS if literal(row.default)], ids=lambda row: row.name)
def test_to_set_what_the_table_calls_the_default_changes_nothing(row, data, monkeypatch):
    monkeypatch.chdir(ROOT)
    without = {"DATA_DIR": ""} if row.name == "DATA_DIR" else {}
    assert comparable(load(data, **{row.name: literal(row.default) or ""})[0]) == comparable(load(data, **without)[0])


@pytest.mark.parametrize("row", [row for row in ROWS if row.default == "none"], ids=lambda row: row.name)
def test_where_the_table_knows_no_default_there_is_none(row, data):
    if row.name in KEYS:
        with pytest.raises(ImproperlyConfigured, match=f"^{row.name} "):
            load(data, **{row.name: ""})
    else:
        assert not load(data)[0][row.name]


def test_defaults_in_words(data):
    words = {row.name for row in ROWS if row.default != "none" and not literal(row.default)}
    assert words == set(COMPUTED)
    settings, _ = load(data)
    for name, (setting, expected) in COMPUTED.items():
        assert settings[setting] == expected, name
    settings, _ = load(data, PUBLIC_URL="https://notify.example.com")
    assert settings["ALLOWED_HOSTS"] == ["notify.example.com", "localhost", "127.0.0.1", "[::1]"]
    assert settings["DEFAULT_FROM_EMAIL"] == "Tidings <tidings@notify.example.com>"


def test_what_make_run_sets(data):
    empty = dict.fromkeys(NAMES, "")
    with mock.patch.dict(os.environ, empty):
        environment = for_children(data, 8000)
    told = {row.name: literal(row.with_make_run) for row in ROWS if literal(row.with_make_run)}
    switches = {"0": "off", "1": "on"}
    made = {name: switches.get(environment[name], environment[name]) for name in NAMES if name in environment}
    in_words = {"SECRET_KEY", "SECRETS_ENCRYPTION_KEYS", "DATA_DIR"}
    as_by_default = {name for name, value in made.items() if value == literal(BY_NAME[name].default)}
    assert {name: value for name, value in made.items() if name not in in_words | as_by_default} == {
        **told,
        "PUBLIC_URL": "http://127.0.0.1:8000",
    }
    assert {row.name for row in ROWS if row.with_make_run and not literal(row.with_make_run)} == {
        *("SECRET_KEY", "SECRETS_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL")
    }
