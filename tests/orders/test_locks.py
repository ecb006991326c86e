"""Advisory locks: who excludes whom, by keys that processes of an earlier release use as well."""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from orders.locks import key_of, take_lock, try_lock, waited_too_long

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "password reset"
ITS_KEY = "SELECT hashtextextended(%s, 0)"


@pytest.fixture
def other():
    """Another session of the same database."""
    parameters = connection.get_connection_params()
    wanted = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    with psycopg.connect(**wanted) as session:
        yield session


@pytest.mark.parametrize("take", [take_lock, try_lock])
@pytest.mark.parametrize("key", [NAME, key_of("abc")])
def test_it_is_held_until_the_transaction_ends(other, take, key):
    number = other.execute(ITS_KEY, [key]).fetchone()[0] if isinstance(key, str) else key
    with transaction.atomic():
        take(key)
        assert other.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone() == (False,)
    assert other.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone() == (True,)


def test_one_that_another_holds_is_not_waited_for(other):
    other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [NAME])
    with transaction.atomic():
        assert try_lock(NAME) is False
        assert try_lock("another name") is True
    other.rollback()
    with transaction.atomic():
        assert try_lock(NAME) is True


def test_a_limit_holds_for_the_rest_of_the_transaction_alone(other):
    other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [NAME])
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        usual = cursor.fetchone()
        with pytest.raises(OperationalError) as caught, transaction.atomic():
            assert try_lock("another name", lock_timeout="20ms")
            take_lock(NAME)
        assert waited_too_long(caught.value)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == usual


def test_another_failure_is_no_wait():
    with pytest.raises(OperationalError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '20ms'")
        cursor.execute("SELECT pg_sleep(30)")
    assert not waited_too_long(caught.value)


def test_a_key_made_here_stays_what_it_was():
    assert key_of("abc") == int.from_bytes(bytes.fromhex("ba7816bf8f01cfea"), signed=True)
