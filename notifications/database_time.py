"""The one clock. Hosts of web processes and workers may be seconds or days apart; what they write is compared."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The present time of PostgreSQL, where an expression (`Now()`) does not do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
