"""The environment of everything that `make run` starts, and what it publishes for `manage.py` beside it."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from config.environment import LOCAL_ENVIRONMENT_FILE, NAMES

KEYS_FILE = "keys.env"


class EnvironmentRefused(Exception):
    """A variable cannot be used; the message names it."""


def port() -> int:
    """`PORT`, 8000 by default. Raises EnvironmentRefused."""
    value = _given("PORT") or "8000"
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 65535:
        raise EnvironmentRefused(f"PORT must be a number from 1 to 65535, not {value!r}.")
    return int(value)


def for_children(data: Path, port: int) -> dict[str, str]:
    """The caller's environment without its empty variables, with what `make run` sets where the caller is silent.

    Keys are made at the first call for `data` and kept there.
    """
    found = {name: value for name, value in os.environ.items() if name not in NAMES or value.strip()}
    defaults = {
        "DEBUG": "0",
        "DEMO": "1",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "POSTBACK_RETRY_DELAYS_SECONDS": "2,4,8",
        "POSTBACK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        **_keys(data / KEYS_FILE),
    }
    return {**defaults, **found, "DATA_DIR": str(data)}


def publish(data: Path, environment: Mapping[str, str]) -> None:
    """Lets `manage.py` with the same `DATA_DIR` work on the same database with the same settings."""
    lines = [f"{name}={environment[name]}\n" for name in NAMES if name in environment and name != "DATA_DIR"]
    _write_private(data / LOCAL_ENVIRONMENT_FILE, "".join(lines))


def withdraw(data: Path) -> None:
    """Remove what `publish` wrote, if anything."""
    (data / LOCAL_ENVIRONMENT_FILE).unlink(missing_ok=True)


def _given(name: str) -> str:
    return os.environ.get(name, "").strip()


def _keys(path: Path) -> dict[str, str]:
    if not path.exists():
        keys = {"SECRET_KEY": secrets.token_urlsafe(50), "SECRETS_ENCRYPTION_KEYS": Fernet.generate_key().decode()}
        _write_private(path, "".join(f"{name}={value}\n" for name, value in keys.items()))
    lines = path.read_text().splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines) if value}


def _write_private(path: Path, content: str) -> None:
    """Whole or not at all, and readable by the owner alone from the first byte."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    unfinished.replace(path)
