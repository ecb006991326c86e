"""A client of Redis for callers that would rather do without an answer than wait for it."""

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry


@cache
def redis_client(timeout: float) -> Redis:
    """Tries once; connecting and each answer have so many seconds. Its calls raise `redis.RedisError`."""
    return Redis.from_url(
        settings.REDIS_URL,
        **settings.REDIS_TLS,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
