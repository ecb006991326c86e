"""The rate limit: `API_RATE_PER_MINUTE` calls of a key, and as many with wrong keys from one address.

Counted in Redis, over all processes. A minute begins with the first call in it: of the calls from then on the first
`API_RATE_PER_MINUTE` are let in, all further ones are refused until it is over, and whatever comes after it begins the
next. A call counts however it ends, also one that repeats an answer for its `Idempotency-Key`.

A client that guesses keys is refused before long, other clients at the same address are not: with a valid key only the
calls of that key count. Otherwise one client could shut out all others behind its proxy.
"""

import hashlib
import math
import time

import structlog
from django.conf import settings
from django.http import HttpRequest

from api.client_address import counted_address
from api.models import ApiKey
from api.problems import Problem
from notifications.redis_client import redis_client

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
TIMEOUT_SECONDS = 0.5
# A Redis that does not answer twice in a row is asked again after this long, so that it does not hold up every call.
ASKED_AGAIN_AFTER_SECONDS = 5.0
FAILURES_IN_A_ROW = 2
# Addresses share so many counters, so that a client with any number of addresses makes no more of them.
ADDRESS_COUNTS = 65536

_failures = 0
_unreachable_until = 0.0


def count_call(request: HttpRequest, key: ApiKey) -> None:
    """Count a call of a key that is in force, once a request. Raises a 429 `Problem` with `Retry-After`."""
    if getattr(request, "call_is_counted", False):
        return
    request.call_is_counted = True  # type: ignore[attr-defined]
    # By the hash and not by the number: a database that is made anew gives the same numbers again.
    _count(f"key:{key.key_hash[:32]}", "Too many calls with this API key.", key=key.prefix)


def count_wrong_key(request: HttpRequest) -> None:
    """Count a call with a key that is none, by the client's address. Raises a 429 `Problem` with `Retry-After`."""
    address = counted_address(request) or "unknown"
    digest = hashlib.sha256(address.encode()).digest()
    shared = int.from_bytes(digest[:8]) % ADDRESS_COUNTS
    _count(f"address:{shared}", "Too many calls with keys that are unknown or revoked.", address=address)


def _count(name: str, refusal: str, **who: str) -> None:
    limit = settings.API_RATE_PER_MINUTE
    if not limit:
        return
    counted = _counted(f"{settings.REDIS_KEY_PREFIX}rate:{name}")
    if counted is None:
        return
    calls, seconds_left = counted
    if calls <= limit:
        return
    if calls == limit + 1:
        log.warning("api_rate_exceeded", limit=limit, **who)
    wait = max(math.ceil(seconds_left), 1)
    raise Problem(429, f"{refusal} Try again in {wait} s.", headers={"Retry-After": str(wait)})


def _counted(name: str) -> tuple[int, float] | None:
    """The number of this call in its minute, and the seconds until that is over, in one round trip.

    None where Redis does not answer: the API goes on without a limit, and the log says so.
    """
    global _failures, _unreachable_until
    if time.monotonic() < _unreachable_until:
        return None
    try:
        with redis_client(TIMEOUT_SECONDS).pipeline() as exchange:
            exchange.set(name, 0, nx=True, ex=WINDOW_SECONDS)
            exchange.incr(name)
            exchange.pttl(name)
            _, calls, milliseconds = exchange.execute()
            if milliseconds < 0:  # it ended between two of the commands, and INCR made it without an end
                exchange.expire(name, WINDOW_SECONDS)
                exchange.execute()
                milliseconds = WINDOW_SECONDS * 1000
    except Exception as error:
        _failures += 1
        if _failures >= FAILURES_IN_A_ROW:
            _unreachable_until = time.monotonic() + ASKED_AGAIN_AFTER_SECONDS
        log.warning("api_rate_not_counted", error=str(error))
        return None
    _failures = 0
    return calls, milliseconds / 1000
