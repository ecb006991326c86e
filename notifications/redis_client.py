"""A client of Redis for callers that would rather do without an answer than wait for it."""

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def new_client(timeout: float) -> Redis:
    """A client that tries once, with `timeout` seconds to connect and for each answer; its calls raise `RedisError`.

    The caller closes it.
    """
    return Redis.from_url(
        settings.REDIS_URL,
        **settings.REDIS_TLS,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def redis_client(timeout: float) -> Redis:
    """As `new_client`, one for all callers in this process, with connections that are kept."""
    return new_client(timeout)
