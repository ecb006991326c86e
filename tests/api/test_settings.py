"""What cannot be used is refused at start, with the name of the variable."""

import base64
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import NAMES
from tests.settings_file import read_settings

DEMO_KEY = "ZGVtby1vbmx5LWtleS10aGF0LXByb3RlY3RzLW5vbmU="
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
PRODUCTION = {"SECRET_KEY": "$a-secret-of-its-own", "SECRETS_ENCRYPTION_KEYS": KEY}


def load(tmp_path: Path, **environment: str) -> dict[str, Any]:
    """What the settings come to in this environment, read anew beside those of the tests."""
    others = {name: value for name, value in os.environ.items() if name not in NAMES}
    with mock.patch.dict(os.environ, {**others, "DATA_DIR": str(tmp_path), **environment}, clear=True):
        return read_settings()


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
        ("DATABASE_POOL_SIZE", "0"),
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
    with pytest.raises(ImproperlyConfigured, match=f"^{name} "):
        load(tmp_path, **{**PRODUCTION, name: value})


def test_a_dollar_in_a_secret_is_a_dollar(tmp_path: Path) -> None:
    assert load(tmp_path, **PRODUCTION)["SECRET_KEY"] == "$a-secret-of-its-own"


def test_unset_and_empty_are_the_same(tmp_path: Path) -> None:
    empty = dict.fromkeys(set(NAMES) - {"DATA_DIR", *PRODUCTION}, "")
    for environment in (PRODUCTION, {**PRODUCTION, **empty}):
        loaded = load(tmp_path, **environment)
        assert loaded["POSTBACK_RETRY_DELAYS_SECONDS"] == [60.0, 300.0, 1800.0]
        assert loaded["POSTBACK_ALLOWED_NETWORKS"] == []
        assert loaded["DEFAULT_CURRENCY"] == "USD"
        assert (loaded["DEBUG"], loaded["DEMO"]) == (False, False)


def test_the_demo_is_there_where_it_is_wanted_alone(tmp_path: Path) -> None:
    assert "demo" not in load(tmp_path, **PRODUCTION)["INSTALLED_APPS"]
    assert "demo" in load(tmp_path, **PRODUCTION, DEMO="1")["INSTALLED_APPS"]


def test_the_size_of_the_pool(tmp_path: Path) -> None:
    for environment, size in (({}, 12), ({"DATABASE_POOL_SIZE": "30"}, 30)):
        database = load(tmp_path, **PRODUCTION, **environment)["DATABASES"]["default"]
        assert database["OPTIONS"]["pool"]["max_size"] == size


def test_what_a_cdn_answers_for_a_receiver_that_it_did_not_reach_is_retried(tmp_path: Path) -> None:
    codes = load(tmp_path, **PRODUCTION)["POSTBACK_RETRY_STATUS_CODES"]
    assert codes == {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 525, 530}


def test_a_broker_on_a_socket_is_translated_for_celery(tmp_path: Path) -> None:
    loaded = load(tmp_path, **PRODUCTION, REDIS_URL="unix:///tmp/v.sock?db=0")
    assert loaded["CELERY_BROKER_URL"] == "redis+socket:///tmp/v.sock?virtual_host=0"
    assert loaded["CACHES"]["default"]["LOCATION"] == "unix:///tmp/v.sock?db=0"


def test_a_public_address_with_other_letters_is_one_that_browsers_name(tmp_path: Path) -> None:
    settings = load(tmp_path, **PRODUCTION, PUBLIC_URL="https://mitteilungen.bücher.example/")
    assert settings["PUBLIC_URL"] == "https://mitteilungen.xn--bcher-kva.example"
    assert settings["ALLOWED_HOSTS"][0] == "mitteilungen.xn--bcher-kva.example"
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://mitteilungen.xn--bcher-kva.example"]
    with pytest.raises(ImproperlyConfigured, match="PUBLIC_URL"):
        load(tmp_path, **PRODUCTION, PUBLIC_URL="https://☃.example")
