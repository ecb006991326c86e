"""Looks at Redis or Valkey: whether it answers and takes what is written, what it throws away, and who can listen."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from redis import RedisError
from redis.exceptions import ResponseError

from channels_app.text import one_line
from config.doctor.examination import Finding, fault, ok, unknown, warning
from config.doctor.hosts import is_here
from notifications.redis_client import new_client

OLDEST_VERSION = 6
TIMEOUT_SECONDS = 2.0


def look_at_broker() -> Sequence[Finding]:
    """Its answer, its version, its role, its eviction policy and TLS."""
    try:
        with new_client(TIMEOUT_SECONDS) as client:
            client.ping()
            try:
                told = cast(Mapping[str, Any], client.info())
            except ResponseError:
                told = {}
    except (RedisError, OSError) as error:
        return [
            fault(
                f"Cannot be reached: {one_line(str(error))}",
                "Start it, or mend REDIS_URL. Until then deliveries go out by the workers' own clock.",
            )
        ]
    if not told:
        says = f"It answers ({_name()}), but refuses INFO: its version and eviction policy are not known."
        return [unknown(says, "Let this user call INFO: ACL SETUSER NAME +info."), *_travelling()]
    return [_of_server(told), _of_memory(told), *_travelling()]


def _of_server(told: Mapping[str, Any]) -> Finding:
    name = "Valkey" if "valkey_version" in told else "Redis"
    version = str(told.get("valkey_version") or told.get("redis_version", "of an unknown version"))
    says = f"{name} {version} answers ({_name()})."
    if told.get("role") == "slave":
        return fault(f"{says} It is a replica, which takes nothing that is written.", "Name the primary in REDIS_URL.")
    major = str(told.get("redis_version", "")).partition(".")[0]
    if major.isdigit() and int(major) < OLDEST_VERSION:
        return fault(says, f"Upgrade it: Tidings needs Redis {OLDEST_VERSION} or newer, or Valkey.")
    return ok(says)


def _of_memory(told: Mapping[str, Any]) -> Finding:
    policy, most = str(told.get("maxmemory_policy", "")), int(told.get("maxmemory") or 0)
    if not policy:
        return unknown("It does not tell its eviction policy.", "Make sure that maxmemory-policy is noeviction.")
    if not most:
        return ok(f"It has no maxmemory, so it throws nothing away (maxmemory-policy {policy}).")
    if policy.startswith("allkeys-"):
        return warning(
            f"With maxmemory-policy {policy} it may throw the queue away, and with it what beat asks for.",
            "CONFIG SET maxmemory-policy noeviction, or one of volatile-*.",
        )
    if policy == "noeviction" and int(told.get("used_memory") or 0) >= most:
        return fault(
            f"It is full ({told.get('maxmemory_human', most)}), and takes nothing that is written.",
            "Raise its maxmemory, or find out what fills it.",
        )
    return ok(f"It keeps the queue when it is full (maxmemory-policy {policy}).")


def _travelling() -> list[Finding]:
    url = urlsplit(settings.REDIS_URL)
    if url.scheme == "unix" or is_here(url.hostname or ""):
        return []
    if url.scheme != "rediss":
        return [
            warning(
                "What travels there is not encrypted.",
                "Use rediss:// in REDIS_URL, unless nobody else is on the way there.",
            )
        ]
    requirement = settings.REDIS_TLS.get("ssl_cert_reqs")
    if requirement != "required" or not settings.REDIS_TLS.get("ssl_check_hostname"):
        return [
            warning(
                "What travels there is encrypted, but its certificate is not checked.",
                "Take ssl_cert_reqs and ssl_check_hostname out of REDIS_URL; EXTRA_CA_BUNDLE names authorities.",
            )
        ]
    return []


def _name() -> str:
    """The server without user name and password."""
    url = urlsplit(settings.REDIS_URL)
    return url.path if url.scheme == "unix" else f"{url.hostname}:{url.port}"
