"""The doorbell on a real broker that is well, wiped, full, refusing or silent."""

import time

import pytest
from django.conf import settings as django_settings
from redis import Redis

from notifications import doorbell, tasks
from notifications.redis_client import redis_client
from tests.servers.hostile import HostileServer, Peer

# Far above the promised second, for machines that are busy.
SOON_SECONDS = 6
SILENT_SECONDS = 8


@pytest.fixture
def broker(settings):
    redis_client.cache_clear()
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=30)
    client.flushall()
    yield client
    redis_client.cache_clear()
    client.flushall()


def queue() -> str:
    return f"{django_settings.REDIS_KEY_PREFIX}tidings"


def hints(broker: Redis) -> int:
    return broker.llen(queue())


def test_one_hint_is_outstanding_at_a_time(broker):
    for _ in range(3):
        doorbell.ring()
    assert hints(broker) == 1
    doorbell.answered()
    doorbell.ring()
    assert hints(broker) == 2


def test_the_flag_is_removed_before_the_claim(broker, monkeypatch):
    """What is committed after the claim's snapshot finds no flag, so it rings for the next look."""
    rung: list[int] = []

    class Claiming:
        def deliver_due(self) -> int:
            doorbell.ring()  # by whoever commits while this claim is at it
            rung.append(hints(broker))
            return 0

    monkeypatch.setattr(tasks, "engine", Claiming)
    doorbell.ring()
    broker.delete(queue())  # the worker has taken the hint
    tasks.deliver_due()
    assert rung == [1]
    # And its flag stays, so that one hint is outstanding.
    assert broker.exists(doorbell.FLAG) == 1


def test_a_lost_hint_is_made_up_for_when_its_flag_runs_out(broker):
    doorbell.ring()
    assert 0 < broker.ttl(doorbell.FLAG) <= doorbell.FLAG_SECONDS


def test_a_broker_that_takes_the_flag_but_not_the_hint_is_rung_again(broker):
    broker.execute_command("ACL", "SETUSER", "default", "-lpush")
    try:
        doorbell.ring()
        assert broker.exists(doorbell.FLAG) == 0
    finally:
        broker.execute_command("ACL", "SETUSER", "default", "+lpush")
    doorbell.ring()
    assert hints(broker) == 1


def test_a_full_broker_costs_nothing(broker):
    broker.config_set("maxmemory", "1")
    try:
        doorbell.ring()
    finally:
        broker.config_set("maxmemory", "0")
    assert hints(broker) == 0


def test_a_refusing_broker_costs_nothing(broker, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    redis_client.cache_clear()
    doorbell.ring()
    doorbell.answered()
    assert hints(broker) == 0


def test_a_silent_broker_holds_nobody_up(broker, settings):
    def say_nothing(peer: Peer) -> None:
        peer.hang()

    with HostileServer(say_nothing) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.port}/0"
        redis_client.cache_clear()
        began = time.monotonic()
        doorbell.ring()
        assert time.monotonic() - began < SOON_SECONDS
    assert hints(broker) == 0


@pytest.mark.slow
def test_a_broker_that_falls_silent_before_the_hint_holds_nobody_up(broker, monkeypatch):
    """The flag is taken, then every command waits."""
    send_task = doorbell.current_app.send_task

    def fall_silent_first(*args, **kwargs):
        broker.client_pause(SILENT_SECONDS * 1000, all=True)
        return send_task(*args, **kwargs)

    monkeypatch.setattr(doorbell.current_app, "send_task", fall_silent_first)
    began = time.monotonic()
    doorbell.ring()
    assert time.monotonic() - began < SOON_SECONDS
