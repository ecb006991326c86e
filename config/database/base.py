"""Django's backend for PostgreSQL with what Tidings needs of each connection, also through PgBouncer.

In its transaction mode PgBouncer gives a client another session for each transaction. So nothing here is set for a
session but what PgBouncer follows itself (time zone, encoding); what must hold is said within each transaction.
"""

import re
from collections.abc import Callable
from time import monotonic
from typing import Any, ClassVar, Self

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool, PoolTimeout

from channels_app.text import one_line
from config.database.limits import set_limit
from config.database.schema import SchemaEditor

# How every transaction begins, in one round trip. Its isolation is ours, not the database's default. And a process that
# stands still within it must not keep the claim, a channel's health or an order from the others: PostgreSQL ends its
# session.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '10s'"
_READ_COMMITTED = "read committed"
_LOOK_EVERY_SECONDS = 0.25
_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


class Connection(psycopg.Connection[Any]):
    """Remembers why no connection could be made."""

    # When (on the monotonic clock) and why connecting failed last in this process.
    latest_failure: ClassVar[tuple[float, str]] = (0.0, "")
    default_isolation = _READ_COMMITTED

    @classmethod
    def connect(cls, *args: Any, **options: Any) -> Self:
        try:
            return super().connect(*args, **options)
        except psycopg.Error as error:
            Connection.latest_failure = (monotonic(), _in_one_line(error))
            raise


class Pool(ConnectionPool[Connection]):
    """Fails the callers that wait for a connection with the cause, as soon as it has given up for the time being."""

    _given_up = 0

    @staticmethod
    def check_connection(conn: Connection) -> None:
        """Called before a connection is handed out. Raises `psycopg.OperationalError` where it is of no use any more.

        After a failover the old server may live on as a standby, whose connections are well and take no writes.
        """
        ConnectionPool.check_connection(conn)
        # The server reports that by itself; a pooler between keeps it back.
        standby = conn.info.parameter_status("in_hot_standby")
        if standby is None:
            row = conn.execute("SELECT pg_is_in_recovery()").fetchone()
            standby = "on" if row and row[0] else "off"
        if standby == "on":
            Connection.latest_failure = (monotonic(), "the server is a standby, which takes no writes")
            conn.close()
            raise psycopg.OperationalError(Connection.latest_failure[1])

    def reconnect_failed(self) -> None:
        self._given_up += 1

    def getconn(self, timeout: float | None = None) -> Connection:
        """As the pool does; raises `psycopg.OperationalError` with the cause where none can be made."""
        began, given_up = monotonic(), self._given_up
        patience = self.timeout if timeout is None else timeout
        while True:
            try:
                return super().getconn(min(_LOOK_EVERY_SECONDS, patience))
            except PoolTimeout:
                failed_at, why = Connection.latest_failure
                ended = monotonic() - began >= patience
                if failed_at >= began and (ended or self._given_up > given_up):
                    raise psycopg.OperationalError(f"The database (DATABASE_URL) cannot be reached: {why}") from None
                if ended:
                    raise PoolTimeout(
                        f"None of the {self.max_size} connections to the database (DATABASE_POOL_SIZE) was free "
                        f"within {patience:g} s."
                    ) from None


class DatabaseWrapper(base.DatabaseWrapper):
    """`OPTIONS["pool"]` is required of every connection that serves; the others (to make test databases) have none."""

    SchemaEditorClass = SchemaEditor
    # Django's, which its stubs do not know.
    _connection_pools: dict[str, Pool]
    _configure_connection: Callable[[Connection], bool]

    @property
    def pool(self) -> Pool | None:
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            if self.settings_dict.get("CONN_MAX_AGE", 0) != 0:
                raise ImproperlyConfigured("A pool keeps its connections: CONN_MAX_AGE must be 0.")
            pool = Pool(
                connection_class=Connection,
                kwargs={**self.get_connection_params(), "autocommit": True},
                open=False,
                configure=self._configure,
                check=Pool.check_connection if self.settings_dict["CONN_HEALTH_CHECKS"] else None,
                **options,
            )
            self._connection_pools.setdefault(self.alias, pool)
        return self._connection_pools[self.alias]

    def _configure(self, connection: Connection) -> None:
        """Called by the pool for each new connection, which is in autocommit."""
        self._configure_connection(connection)
        row = connection.execute("SELECT current_setting('default_transaction_isolation')").fetchone()
        connection.default_isolation = row[0] if row else _READ_COMMITTED

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self._in_time not in self.execute_wrappers:
            self.execute_wrappers.insert(0, self._in_time)
        default = getattr(self.connection, "default_isolation", _READ_COMMITTED)
        if default != _READ_COMMITTED and self._in_read_committed not in self.execute_wrappers:
            # The outermost: it has to see the statement before the limit stands in front of it.
            self.execute_wrappers.insert(0, self._in_read_committed)

    def _set_autocommit(self, autocommit: bool) -> None:
        """Begin a transaction in our own words; psycopg, which stays in autocommit, ends it as it does any other."""
        with self.wrap_database_errors:
            if autocommit:
                self.connection.autocommit = True  # refused within a transaction
            else:
                self.connection.execute("; ".join(filter(None, [BEGIN, set_limit()])))

    def _in_time(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """A statement outside of a transaction is sent together with the limit of its time (`config.database.limits`).

        The two are one message, and to PostgreSQL one transaction, so it costs no round trip. The message is in the
        simple protocol, which a cursor that puts the parameters in by itself speaks.
        """
        limit = set_limit()
        if not limit or self.in_atomic_block or not self.autocommit or not _STATEMENT.match(str(sql)):
            return execute(sql, params, many, context)
        cursor = context["cursor"].cursor
        if many or not isinstance(cursor, psycopg.ClientCursor):
            with transaction.atomic(using=self.alias):
                return execute(sql, params, many, context)
        result = execute(f"{limit}; {sql}", params, many, context)
        cursor.nextset()  # past what the limit answers
        return result

    def _in_read_committed(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        """A statement outside of a transaction gets one of our isolation, not that of the database's default.

        There it would fail where two processes change a row at once. It costs two round trips, and only there.
        """
        if self.in_atomic_block or not self.autocommit or not _STATEMENT.match(str(sql)):
            return execute(sql, params, many, context)
        with transaction.atomic(using=self.alias):
            return execute(sql, params, many, context)


def _in_one_line(error: Exception) -> str:
    return one_line(str(error)) or type(error).__name__
