"""`API_RATE_PER_MINUTE`: by key, and for wrong keys by address; on a real Redis that is well, gone or silent."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from redis import Redis

from api import rate
from api.keys import create_key
from notifications.redis_client import redis_client
from tests.api.problems import assert_problem
from tests.calling import Caller
from tests.servers.hostile import HostileServer, hangs_after_accept

LIMIT = 3
# Far above what one round trip may take, for machines that are busy.
SOON_SECONDS = 10


@pytest.fixture(autouse=True)
def counted_anew(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is counted yet, the limit is low, and a busy machine is not taken for a Redis that is gone."""
    settings.API_RATE_PER_MINUTE = LIMIT
    settings.REDIS_KEY_PREFIX += f"{time.monotonic_ns()}:"
    monkeypatch.setattr(rate, "_failures", 0)
    monkeypatch.setattr(rate, "_unreachable_until", 0.0)
    monkeypatch.setattr(rate, "TIMEOUT_SECONDS", 30)
    monkeypatch.setattr(rate, "ASKED_AGAIN_AFTER_SECONDS", 600)
    redis_client.cache_clear()
    yield
    redis_client.cache_clear()


@pytest.fixture
def redis(settings: Any) -> Redis:
    return Redis.from_url(settings.REDIS_URL, socket_timeout=30)


def names(redis: Redis, settings: Any) -> list[str]:
    found: Any = redis.keys(f"{settings.REDIS_KEY_PREFIX}rate:*")
    return [name.decode() for name in found]


def statuses(call: Caller, calls: int, **options: Any) -> list[int]:
    return [call("GET", "/orders/1001", **options).status_code for _ in range(calls)]


def wrong(address: str = "192.0.2.1") -> Any:
    return {"headers": {"Authorization": "Bearer tidings_wrong"}, "REMOTE_ADDR": address}


def test_one_call_more_than_the_limit_is_refused(call: Caller, redis: Redis, settings: Any) -> None:
    assert statuses(call, LIMIT) == [200] * LIMIT
    refused = call("GET", "/orders/1001")
    wait = int(refused["Retry-After"])
    assert 1 <= wait <= 60
    assert_problem(refused, 429, f"Too many calls with this API key. Try again in {wait} s.")
    # The minute began with the first call, and refused ones do not lengthen it.
    [name] = names(redis, settings)
    assert 0 < redis.pttl(name) <= 60_000
    redis.pexpire(name, 1)
    deadline = time.monotonic() + SOON_SECONDS
    while redis.exists(name) and time.monotonic() < deadline:
        pass
    assert statuses(call, LIMIT + 1) == [200, 200, 200, 429]


def test_each_key_has_calls_of_its_own(call: Caller) -> None:
    other = Caller(create_key(name="Other", scopes=["storefront"])[1])
    assert statuses(call, LIMIT + 1)[-1] == 429
    assert statuses(other, LIMIT + 1) == [200, 200, 200, 429]


def test_a_call_counts_however_it_ends(call: Caller) -> None:
    shop = Caller(create_key(name="Shop", scopes=["storefront"])[1])
    assert shop("GET", "/event-types").status_code == 403
    assert shop("GET", "/orders/9").status_code == 404
    assert shop("POST", "/orders", {}).status_code == 422
    assert shop("GET", "/event-types").status_code == 429  # before the scope is looked at


@pytest.mark.django_db(transaction=True)
def test_a_call_counts_once_and_a_replay_counts_too(throwaway: None) -> None:
    call = Caller(create_key(name="Shop", scopes=["storefront"])[1])
    answers = [call("POST", "/orders/1/thank-you", headers={"Idempotency-Key": "again"}) for _ in range(LIMIT + 1)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true", None]


def test_the_document_is_open_to_everybody_and_not_counted(call: Caller) -> None:
    assert statuses(call, LIMIT + 1)[-1] == 429
    assert call("GET", "/openapi.json").status_code == 200


def test_guessing_keys_is_bounded_by_address_and_shuts_nobody_out(call: Caller, redis: Redis, settings: Any) -> None:
    assert statuses(call, LIMIT + 1, **wrong()) == [401, 401, 401, 429]
    refused = call("GET", "/orders/1001", **wrong())
    wait = refused["Retry-After"]
    assert_problem(refused, 429, f"Too many calls with keys that are unknown or revoked. Try again in {wait} s.")
    # Others guess for themselves, and whoever has a key calls from the same address as before.
    assert statuses(call, 1, **wrong("192.0.2.2")) == [401]
    assert statuses(call, 1, REMOTE_ADDR="192.0.2.1") == [200]
    # A call without a key guesses nothing.
    assert statuses(call, LIMIT + 1, headers={"Authorization": ""}) == [401] * (LIMIT + 1)
    # Different keys that are wrong are counted together: there is no count for each.
    assert len(names(redis, settings)) == 3


def test_many_addresses_make_a_bounded_number_of_counts(
    call: Caller, redis: Redis, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "ADDRESS_COUNTS", 4)
    settings.API_RATE_PER_MINUTE = 1000
    for number in range(40):
        statuses(call, 1, **wrong(f"2001:db8:{number:x}::1"))
    assert 1 < len(names(redis, settings)) <= 4
    assert all(0 < redis.ttl(name) <= 60 for name in names(redis, settings))


def test_whoever_has_a_network_of_ipv6_has_one_count(call: Caller) -> None:
    guesses = [statuses(call, 1, **wrong(f"2001:db8::{number:x}"))[0] for number in range(LIMIT + 1)]
    assert guesses == [401, 401, 401, 429]
    assert statuses(call, 1, **wrong("2001:db8:0:1::1")) == [401]


def test_zero_is_no_limit(call: Caller, redis: Redis, settings: Any) -> None:
    settings.API_RATE_PER_MINUTE = 0
    assert statuses(call, 20) == [200] * 20
    assert statuses(call, 5, **wrong()) == [401] * 5
    assert names(redis, settings) == []


def test_a_count_that_has_no_end_gets_one(call: Caller, redis: Redis, settings: Any) -> None:
    statuses(call, 1)
    [name] = names(redis, settings)
    redis.persist(name)
    assert statuses(call, 1) == [200]
    assert 0 < redis.ttl(name) <= 60


def test_all_processes_count_together(call: Caller, redis: Redis, settings: Any) -> None:
    """Threads with a client each, as processes have; the counting is that of Redis."""
    settings.API_RATE_PER_MINUTE = 10
    let_in: list[bool] = []

    def ask() -> None:
        for _ in range(5):
            counted = rate._counted(f"{settings.REDIS_KEY_PREFIX}rate:key:x")
            let_in.append(counted is not None and counted[0] <= 10)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(let_in), sum(let_in)) == (40, 10)


def test_without_redis_the_api_goes_on_and_says_so(
    call: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    said: list[str] = []
    monkeypatch.setattr(rate.log, "warning", lambda event, **_details: said.append(event))
    assert statuses(call, LIMIT + 2) == [200] * (LIMIT + 2)
    assert statuses(call, LIMIT + 2, **wrong()) == [401] * (LIMIT + 2)
    assert said == ["api_rate_not_counted"] * 2  # and not for each call
    # After a while it is asked again.
    monkeypatch.setattr(rate, "_unreachable_until", 0.0)
    statuses(call, 2)
    assert said == ["api_rate_not_counted"] * 3


def test_one_call_that_is_not_counted_does_not_end_the_counting(
    call: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    well, url = redis_client(rate.TIMEOUT_SECONDS), settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    redis_client.cache_clear()
    assert statuses(call, 1) == [200]
    settings.REDIS_URL = url
    redis_client.cache_clear()
    assert redis_client(rate.TIMEOUT_SECONDS) is not well
    assert statuses(call, LIMIT + 1) == [200, 200, 200, 429]


def test_a_silent_redis_holds_up_two_calls_and_not_all(
    call: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "TIMEOUT_SECONDS", 0.3)
    with HostileServer(hangs_after_accept) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.port}/0"
        assert statuses(call, 20) == [200] * 20
        assert server.connections == 2


def test_every_operation_of_version_1_tells_of_it(db: None) -> None:
    document = Client().get("/api/v1/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["responses"]["429"] == {"$ref": "#/components/responses/TooManyRequests"}
    refusal = document["components"]["responses"]["TooManyRequests"]
    assert refusal["headers"].keys() == {"Retry-After"}
    assert "application/problem+json" in refusal["content"]
