"""What the doctor says of Redis and Valkey, asked of a real one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from pytest_django import Settings

from config import redis_url
from config.doctor import broker
from demo.local import processes
from demo.local.servers import Valkey, socket_folder
from tests.config.doctor.looking import Line, look
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy with other tests."""
    monkeypatch.setattr(broker, "TIMEOUT_SECONDS", 30.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One whose configuration a test may change."""
    sockets = socket_folder()
    valkey = Valkey(sockets, tmp_path_factory.mktemp("valkey") / "log")
    child = processes.start(valkey.service(), os.environ, folder=Path("/"))
    try:
        wait_until(valkey.ready, timeout=60)
        yield valkey
    finally:
        processes.stop([child])
        sockets.rmdir()


@pytest.fixture
def configured(server: Valkey, settings: Settings) -> Iterator[Callable[..., list[Line]]]:
    """`configured(maxmemory="5mb")`: what is found with this configuration."""
    settings.REDIS_URL = server.url
    with redis.Redis.from_url(server.url) as client:
        before = {name: client.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy")}

        def look_with(**configuration: str) -> list[Line]:
            for name, value in configuration.items():
                client.config_set(name.replace("_", "-"), value)
            return look("broker")

        yield look_with
        client.replicaof("NO", "ONE")
        for name, value in before.items():
            client.config_set(name, value)
        client.execute_command("ACL", "SETUSER", "default", "+@all")


def test_one_that_answers_is_named_with_its_version(configured: Callable[..., list[Line]]) -> None:
    first, second = configured()
    assert first[0] == "ok" and first[1].startswith("Valkey ")
    assert second == ("ok", "It has no maxmemory, so it throws nothing away (maxmemory-policy noeviction).", "")


def test_one_that_is_gone_is_a_fault_without_its_password(settings: Settings) -> None:
    settings.REDIS_URL = "redis://:not-to-be-seen@127.0.0.1:1/0"
    ((status, says, do),) = look("broker")
    assert (status, says) == ("fault", "Cannot be reached: Error 111 connecting to 127.0.0.1:1. Connection refused.")
    assert do.startswith("Start it, or mend REDIS_URL.")


@pytest.mark.parametrize(
    ("policy", "status"),
    [("allkeys-lru", "warning"), ("allkeys-random", "warning"), ("volatile-lru", "ok"), ("noeviction", "ok")],
)
def test_whether_it_may_throw_the_queue_away(policy: str, status: str, configured: Callable[..., list[Line]]) -> None:
    found = configured(maxmemory="100mb", maxmemory_policy=policy)[1]
    assert found[0] == status
    assert f"maxmemory-policy {policy}" in found[1]


def test_one_that_is_full_is_a_fault(configured: Callable[..., list[Line]]) -> None:
    found = configured(maxmemory="1", maxmemory_policy="noeviction")[1]
    assert (found[0], found[1]) == ("fault", "It is full (1B), and takes nothing that is written.")


def test_a_replica_is_a_fault(configured: Callable[..., list[Line]], server: Valkey) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", 1)
    found = configured()[0]
    assert found[0] == "fault"
    assert found[1].endswith("It is a replica, which takes nothing that is written.")


def test_one_that_refuses_to_tell_is_not_known(configured: Callable[..., list[Line]], server: Valkey) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "default", "-info")
    ((status, says, do),) = configured()
    assert status == "unknown"
    assert "refuses INFO" in says
    assert "+info" in do


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://127.0.0.1:1/0", []),
        ("unix:///run/redis.sock?db=0", []),
        ("redis://redis.example.com/0", ["What travels there is not encrypted."]),
        ("rediss://redis.example.com/0", []),
        (
            "rediss://redis.example.com/0?ssl_cert_reqs=none&ssl_check_hostname=false",
            ["What travels there is encrypted, but its certificate is not checked."],
        ),
        (
            "rediss://redis.example.com/0?ssl_check_hostname=false",
            ["What travels there is encrypted, but its certificate is not checked."],
        ),
    ],
)
def test_who_can_listen_is_told_by_the_url(url: str, told: list[str], settings: Settings) -> None:
    server = redis_url.parse("REDIS_URL", url)
    settings.REDIS_URL, settings.REDIS_TLS = server.url, server.tls or {}
    assert [finding.says for finding in broker._travelling()] == told
