"""What cannot be used is refused at start, with the name of the variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.environment import NAMES

ROOT = Path(__file__).resolve().parents[2]
DEMO_KEY = "ZGVtby1vbmx5LWtleS10aGF0LXByb3RlY3RzLW5vbmU="
KEY = Fernet.generate_key().decode()
PRODUCTION = {"SECRET_KEY": "$a-secret-of-its-own", "SECRETS_ENCRYPTION_KEYS": KEY}


def load(tmp_path: Path, shown: str = "''", **environment: str) -> subprocess.CompletedProcess[str]:
    """The settings, read by a process of their own."""
    return subprocess.run(
        [sys.executable, "-c", f"from config import settings; print({shown})"],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name not in NAMES},
            "DATA_DIR": str(tmp_path),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "demo-only-secret-key-that-protects-nothing"),
        ("SECRETS_ENCRYPTION_KEYS", ""),
        ("SECRETS_ENCRYPTION_KEYS", DEMO_KEY),
        ("SECRETS_ENCRYPTION_KEYS", f"{KEY}, {DEMO_KEY}"),
        ("SECRETS_ENCRYPTION_KEYS", "abc"),
        ("DEBUG", "maybe"),
        ("DEMO", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
        ("PUBLIC_URL", "notify.example.com"),
        ("TIME_ZONE", "Mars/Phobos"),
        ("DATABASE_URL", "mysql://localhost/tidings"),
        ("DATABASE_URL", "nonsense"),
        ("REDIS_URL", "nonsense"),
        ("EMAIL_URL", "nonsense"),
        ("DEFAULT_CURRENCY", "DOLLARS"),
        ("POSTBACK_TIMEOUT_SECONDS", "soon"),
        ("POSTBACK_TIMEOUT_SECONDS", "0"),
        ("POSTBACK_RETRY_STATUS_CODES", "200"),
        ("POSTBACK_RETRY_DELAYS_SECONDS", "1,2,3,4"),
        ("POSTBACK_RETRY_DELAYS_SECONDS", "-1"),
        ("POSTBACK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("EGRESS_PROXY_URL", "socks5://localhost"),
        ("EXTRA_CA_BUNDLE", "/no/such/file"),
        ("DELIVERY_CONCURRENCY", "1.5"),
        ("CHANNEL_CONCURRENCY", "0"),
        ("SWEEP_INTERVAL_SECONDS", "nan"),
        ("RETENTION_DAYS", "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    ended = load(tmp_path, **{**PRODUCTION, name: value})
    assert ended.returncode == 1
    assert f"ImproperlyConfigured: {name} " in ended.stderr.splitlines()[-1]


def test_a_dollar_in_a_secret_is_a_dollar(tmp_path: Path) -> None:
    assert load(tmp_path, "settings.SECRET_KEY", **PRODUCTION).stdout == "$a-secret-of-its-own\n"


def test_unset_and_empty_are_the_same(tmp_path: Path) -> None:
    shown = "settings.POSTBACK_RETRY_DELAYS_SECONDS, settings.POSTBACK_ALLOWED_NETWORKS, settings.DEFAULT_CURRENCY"
    empty = dict.fromkeys(set(NAMES) - {"DATA_DIR", *PRODUCTION}, "")
    unset = load(tmp_path, shown, **PRODUCTION)
    assert unset.stdout == "[60.0, 300.0, 1800.0] [] USD\n"
    assert load(tmp_path, shown, **PRODUCTION, **empty).stdout == unset.stdout


def test_the_pool_is_merged_into_the_options_of_the_url(tmp_path: Path) -> None:
    shown = "sorted(settings.DATABASES['default']['OPTIONS'].items(), key=lambda item: item[0])"
    url = "postgres://tidings@/tidings?host=/tmp/x&sslmode=require"
    told = load(tmp_path, shown, **PRODUCTION, DATABASE_URL=url).stdout
    assert "('host', '/tmp/x')" in told
    assert "('sslmode', 'require')" in told
    assert "'max_size': 12" in told


def test_a_broker_on_a_socket_is_translated_for_celery(tmp_path: Path) -> None:
    shown = "settings.CELERY_BROKER_URL, settings.CACHES['default']['LOCATION']"
    told = load(tmp_path, shown, **PRODUCTION, REDIS_URL="unix:///tmp/v.sock?db=0").stdout
    assert told == "redis+socket:///tmp/v.sock?db=0 unix:///tmp/v.sock?db=0\n"
