"""REDIS_URL means the same to Celery, to the cache and to the doorbell, or is refused."""

import traceback
from typing import Any

import certifi
import pytest
from celery import Celery
from django.core.cache.backends.redis import RedisCache
from django.core.exceptions import ImproperlyConfigured
from redis import Redis

from config.redis_url import key_prefix, parse

PLAIN = {"host": "127.0.0.1", "port": 6379, "db": 0, "username": None, "password": None, "path": None}
TLS = {
    "ssl_cert_reqs": "required",
    "ssl_check_hostname": True,
    "ssl_ca_certs": certifi.where(),
}


def what_each_makes_of(url: str, **options: Any) -> list[dict[str, Any]]:
    """The arguments of the connections that the doorbell, the cache and Celery open."""
    server = parse("REDIS_URL", url, **options)
    tls = server.tls or {}
    doorbell = Redis.from_url(server.url, **tls).connection_pool
    client = RedisCache(server.url, {"OPTIONS": tls})._cache
    cache = client._get_connection_pool(write=True)  # type: ignore[attr-defined]
    app = Celery(broker=server.broker_url, set_as_current=False, broker_use_ssl=server.tls)
    with app.connection_for_write() as connection:
        channel_class = connection.transport.Channel
        channel = channel_class.__new__(channel_class)  # it would connect when it is made
        channel.connection = connection.transport
        broker = channel._connparams()
    each = (doorbell.connection_kwargs, cache.connection_kwargs, broker)
    return [{name: arguments.get(name) for name in (*PLAIN, *TLS, "ssl_ca_data")} for arguments in each]


@pytest.fixture
def authority(tmp_path):
    file = tmp_path / "authority.pem"
    file.write_text("an authority")
    return str(file)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis://cache.example.com", {"host": "cache.example.com"}),
        ("redis:///3", {"db": 3}),
        ("redis://cache.example.com:6380/2", {"host": "cache.example.com", "port": 6380, "db": 2}),
        ("redis://cache.example.com?db=2", {"host": "cache.example.com", "db": 2}),
        ("redis://cache.example.com/2?db=2", {"host": "cache.example.com", "db": 2}),
        ("redis://[2001:db8::1]:6380", {"host": "2001:db8::1", "port": 6380}),
        ("redis://:p%2Fa%3Fs%23s%40%25%3B@localhost", {"host": "localhost", "password": "p/a?s#s@%;"}),
        ("redis://ada:secret@localhost", {"host": "localhost", "username": "ada", "password": "secret"}),
        (
            "redis://localhost?username=ada&password=se%26cret",
            {"host": "localhost", "username": "ada", "password": "se&cret"},
        ),
        ("unix:///run/valkey/v.sock?db=2", {"path": "/run/valkey/v.sock", "db": 2}),
        ("unix:///run/a%20b%3B/v.sock", {"path": "/run/a b;/v.sock"}),
        ("unix:///run/v.sock?db=2&password=secret", {"path": "/run/v.sock", "db": 2, "password": "secret"}),
        ("unix://ada:se%2Fcret@/run/v.sock", {"path": "/run/v.sock", "username": "ada", "password": "se/cret"}),
        ("rediss://localhost/1", {"host": "localhost", "db": 1, **TLS}),
        ("rediss://localhost?ssl_cert_reqs=CERT_NONE", {"host": "localhost", **TLS, "ssl_cert_reqs": "none"}),
        ("rediss://localhost?ssl_check_hostname=False", {"host": "localhost", **TLS, "ssl_check_hostname": False}),
    ],
)
def test_what_is_meant_the_same(url: str, meant: dict[str, Any]) -> None:
    for made in what_each_makes_of(url):
        if meant.get("path"):
            made |= {"host": PLAIN["host"], "port": PLAIN["port"]}  # a socket has neither
        expected = {**PLAIN, **dict.fromkeys(TLS), "ssl_ca_data": None, **meant}
        assert {name: value or None for name, value in made.items()} == {n: v or None for n, v in expected.items()}


def test_authorities_are_added_by_url_and_by_bundle(tmp_path, authority) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("a bundle")
    url = f"rediss://localhost?ssl_ca_certs={authority}"
    for made in what_each_makes_of(url, extra_ca_bundle=str(bundle)):
        assert (made["ssl_ca_certs"], made["ssl_ca_data"]) == (certifi.where(), "a bundle\nan authority")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "must be like redis://"),
        ("redis-sentinel://localhost:26379/0", "must be like redis://"),
        ("redis://localhost/two", "must name its database by a number"),
        ("redis://localhost/1/2", "must name its database by a number"),
        ("redis://localhost/1?db=2", "says its database twice, and differently."),
        ("redis://localhost?db=", "has an option db without a number."),
        ("redis://localhost?db=1&db=1", "has the option db twice."),
        ("redis://localhost?db=-1", "must name its database by a number"),
        ("redis://localhost?socket_timeout=5", "has an option that is not known, 'socket_timeout'."),
        ("redis://localhost?health_check_interval=5", "has an option that is not known, 'health_check_interval'."),
        ("redis://localhost?virtual_host=5", "has an option that is not known, 'virtual_host'."),
        ("redis://localhost?ssl_cert_reqs=required", "has ssl_cert_reqs, which needs rediss://."),
        ("unix:///run/v.sock?ssl_ca_certs=/x", "has ssl_ca_certs, which needs rediss://."),
        ("rediss://localhost?ssl_cert_reqs=perhaps", "must have ssl_cert_reqs of required, optional or none."),
        ("rediss://localhost?ssl_check_hostname=2", "must have ssl_check_hostname of true or false."),
        ("rediss://localhost?ssl_ca_certs=/no/such/file", "has an ssl_ca_certs that names no file: /no/such/file."),
        ("rediss://localhost?ssl_keyfile=/no/such/file", "has an ssl_keyfile that names no file: /no/such/file."),
        ("redis://ada@localhost", "has a user name without a password."),
        ("redis://:qzxA7@localhost?password=wvkB9", "says its password twice, and differently."),
        ("unix://run/v.sock", "must name its socket by an absolute path"),
        ("unix://", "must name its socket by an absolute path"),
        ("redis://:qzxA7/wvkB9@localhost", "has an @ behind what is read as its host"),
    ],
)
def test_what_would_not_mean_the_same_is_refused(url: str, why: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        parse("REDIS_URL", url)
    assert str(refused.value).startswith(f"REDIS_URL {why}")
    told = "".join(traceback.format_exception(refused.value))
    assert "qzxA7" not in told and "wvkB9" not in told


def test_installations_have_prefixes_of_their_own() -> None:
    assert key_prefix("one") != key_prefix("another")
    assert key_prefix("one") == key_prefix("one")
    assert key_prefix("one").startswith("tidings:")
