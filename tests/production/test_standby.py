"""After a failover a connection may lead to a server that has become a standby: it is of no use, and is not kept."""

import psycopg
import pytest

from config.database.base import Connection, Pool
from tests.production.programs import PASSWORD, PostgreSQL
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def standby(folder):
    server = PostgreSQL(folder)
    (server.data / "standby.signal").touch()
    yield server.start()
    server.kill()


def test_a_standby_serves_nobody_until_it_is_promoted(standby):
    wait_until(standby.answers, timeout=60)
    server = {"host": standby.host, "port": standby.port, "user": "tidings", "password": PASSWORD, "dbname": "postgres"}
    pool = Pool(
        kwargs={**server, "autocommit": True},
        connection_class=Connection,
        check=Pool.check_connection,
        open=True,
        min_size=1,
        timeout=2,
    )
    with pool:
        with pytest.raises(
            psycopg.OperationalError, match=r"\(DATABASE_URL\) cannot be reached: the server is a standby"
        ):
            pool.getconn()
        with standby.connect("postgres") as connection:
            connection.execute("SELECT pg_promote()")
        connection = pool.getconn(timeout=20)
        connection.execute("CREATE TABLE written ()")
        pool.putconn(connection)
