"""The environment as the settings see it.

An unset variable and an empty one are the same. A value that cannot be used is refused at start, with the
name of the variable (`ImproperlyConfigured`).
"""

import ipaddress
import os
from collections.abc import Callable, Collection, Sequence
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import pycountry
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from orders.links import as_uri

LOCAL_ENVIRONMENT_FILE = "local.env"
NAMES = (
    *("SECRET_KEY", "DEBUG", "DEMO", "ALLOWED_HOSTS", "PUBLIC_URL", "TIME_ZONE", "LOG_LEVEL", "DATABASE_URL"),
    *("REDIS_URL", "EMAIL_URL", "SECRETS_ENCRYPTION_KEYS", "DEFAULT_CURRENCY", "METRICS_TOKEN", "DATA_DIR"),
    *("POSTBACK_TIMEOUT_SECONDS", "POSTBACK_RETRY_STATUS_CODES", "POSTBACK_RETRY_DELAYS_SECONDS"),
    *("POSTBACK_ALLOWED_NETWORKS", "EGRESS_PROXY_URL", "EXTRA_CA_BUNDLE", "FUNNEL_COMPLETION_SECONDS"),
    *("DELIVERY_CONCURRENCY", "CHANNEL_CONCURRENCY", "SWEEP_INTERVAL_SECONDS", "RETENTION_DAYS"),
    *("TRUSTED_PROXY_COUNT", "EMAIL_FROM", "PAUSE_FAILING_AFTER_DAYS", "DATABASE_POOL_SIZE"),
    *("HSTS_INCLUDE_SUBDOMAINS", "API_RATE_PER_MINUTE", "SENTRY_DSN", "POSTBACK_TRACEPARENT"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    *("OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"),
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def load(base_dir: Path) -> environ.Env:
    """Drop empty variables, add what a launcher with the same `DATA_DIR` has published, return the reader.

    `DATA_DIR/local.env` holds `NAME=value` lines, taken literally; the environment wins over it, and where
    `DATABASE_URL` is set it is not read. It lets `manage.py` work beside a running `make run`.
    """
    for name in [*NAMES, *(name for name in os.environ if name.startswith("OTEL_"))]:
        if not os.environ.get(name, "").strip():
            os.environ.pop(name, None)
    published = Path(os.environ.get("DATA_DIR", base_dir / ".data")) / LOCAL_ENVIRONMENT_FILE
    if "DATABASE_URL" not in os.environ and published.is_file():
        for line in published.read_text().splitlines():
            name, separator, value = line.partition("=")
            if separator and value:
                os.environ.setdefault(name, value)
    return environ.Env()


def literal(name: str) -> str:
    """A secret, exactly as it stands: django-environ would read a leading `$` as a reference."""
    return os.environ.get(name, "").strip()


def boolean(env: environ.Env, name: str) -> bool:
    """A yes or no; unset is no. Raises `ImproperlyConfigured`."""
    value = env.str(name, default="no").strip().lower()
    if value in {"1", "true", "yes", "on", "y", "t", "ok"}:
        return True
    if value in {"0", "false", "no", "off", "n", "f"}:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")


def choice(name: str, value: str, allowed: Collection[str]) -> str:
    """`value`, if it is one of `allowed`. Raises `ImproperlyConfigured`, naming them where they are few."""
    if value not in allowed:
        known = f": choose from {', '.join(allowed)}" if len(allowed) < 10 else ""
        raise ImproperlyConfigured(f"{name} does not know {value!r}{known}.")
    return value


def currency(name: str, value: str) -> str:
    """`value`, if it is a code of ISO 4217. Raises `ImproperlyConfigured`."""
    if pycountry.currencies.get(alpha_3=value) is None:
        raise ImproperlyConfigured(f"{name} must be a currency of ISO 4217, such as USD, not {value!r}.")
    return value


def uri(name: str, value: str) -> str:
    """An address in ASCII: browsers name the host so, and not everybody who gets a link takes other letters."""
    try:
        return as_uri(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} cannot be used: {error}") from error


def collector(name: str) -> str:
    """The address of a collector of OpenTelemetry, as it stands. Raises `ImproperlyConfigured` without quoting it."""
    value = literal(name)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if value and not usable:
        raise ImproperlyConfigured(f"{name} must be like http://collector.example.com:4318.")
    return value


def mailbox(env: environ.Env, name: str, default: str) -> str:
    """An e-mail address, with or without a name before it: `Tidings <tidings@example.com>`."""
    value: str = env.str(name, default="")
    try:
        if value:
            validate_email(parseaddr(value)[1])
    except ValidationError as error:
        raise ImproperlyConfigured(
            f"{name} must be an e-mail address, such as Tidings <tidings@example.com>, not {value!r}."
        ) from error
    return value or default


def fernet_keys(name: str) -> list[str]:
    """The keys of a comma-separated variable, in its order. Raises `ImproperlyConfigured` without quoting them."""
    keys = [key.strip() for key in literal(name).split(",") if key.strip()]
    for key in keys:
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} takes Fernet keys: 32 random bytes each, URL-safe base64, comma-separated."
            ) from error
    return keys


def url(read: Callable[..., dict[str, Any]], name: str, default: str) -> dict[str, Any]:
    """The settings that `read` (a method of `environ.Env`) makes of a URL."""
    try:
        return read(name, default=default)
    except Exception as error:
        raise ImproperlyConfigured(f"{name} is not a URL that can be used: {error}") from error


def number(env: environ.Env, name: str, default: float, minimum: float, maximum: float) -> float:
    """A number from `minimum` to `maximum`. Raises `ImproperlyConfigured`."""
    return _within(name, _parsed(name, env.str(name, default=str(default))), minimum, maximum)


def integer(env: environ.Env, name: str, default: int, minimum: int, maximum: int) -> int:
    """As `number`, a whole one."""
    return _whole(name, number(env, name, default, minimum, maximum))


def numbers(env: environ.Env, name: str, default: list[str], maximum: float, at_most: int) -> list[float]:
    """One to `at_most` comma-separated numbers from 0 to `maximum`. Raises `ImproperlyConfigured`."""
    values = [_within(name, _parsed(name, item), 0, maximum) for item in env.list(name, default=default)]
    if not 1 <= len(values) <= at_most:
        raise ImproperlyConfigured(f"{name} takes one to {at_most} numbers, not {len(values)}.")
    return values


def status_codes(env: environ.Env, name: str, default: list[str]) -> frozenset[int]:
    """Comma-separated status codes from 400 to 599. Raises `ImproperlyConfigured`."""
    items: Sequence[str] = env.list(name, default=default)
    return frozenset(_whole(name, _within(name, _parsed(name, item), 400, 599)) for item in items)


def networks(env: environ.Env, name: str) -> list[Network]:
    """Comma-separated networks in CIDR notation. Raises `ImproperlyConfigured`."""
    try:
        return [ipaddress.ip_network(item.strip()) for item in env.list(name, default=[])]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} takes networks such as 10.0.0.0/8: {error}.") from error


def _parsed(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from error


def _within(name: str, value: float, minimum: float, maximum: float) -> float:
    if not minimum <= value <= maximum:
        raise ImproperlyConfigured(f"{name} must be between {minimum:g} and {maximum:g}, not {value:g}.")
    return value


def _whole(name: str, value: float) -> int:
    if value != int(value):
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value:g}.")
    return int(value)
