"""DATABASE_URL: what it means, and what is refused at start."""

import traceback
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.database.url import parse

DEFAULTS = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
EMPTY = {"NAME": "", "USER": "", "PASSWORD": "", "HOST": "", "PORT": ""}
REFUSED = "has an option that PostgreSQL's client library refuses"
UNKNOWN = "has an option that PostgreSQL's client library does not know"
ADA = {"USER": "ada", "PASSWORD": "secret", "HOST": "db.example.com", "NAME": "tidings"}


@pytest.mark.parametrize(
    ("url", "meant", "options"),
    [
        ("postgres:///tidings", {"NAME": "tidings"}, {}),
        ("postgresql://ada:secret@db.example.com:5433/tidings", {**ADA, "PORT": "5433"}, {}),
        (
            "pgsql://ada:p%2Fa%3Fs%23s%40%25@localhost/t",
            {"USER": "ada", "PASSWORD": "p/a?s#s@%", "HOST": "localhost", "NAME": "t"},
            {},
        ),
        ("postgres://db.example.com/tidings?user=ada&password=secret", ADA, {}),
        ("postgres://tidings@/tidings?host=/tmp/x", {"USER": "tidings", "HOST": "/tmp/x", "NAME": "tidings"}, {}),
        ("postgres://%2Ftmp%2Fx:5433/tidings", {"HOST": "/tmp/x", "PORT": "5433", "NAME": "tidings"}, {}),
        ("postgres:////tmp/x/tidings", {"HOST": "/tmp/x", "NAME": "tidings"}, {}),
        (
            "postgres://a:5432,[2001:db8::1]:5433,c/tidings",
            {"HOST": "a,2001:db8::1,c", "PORT": "5432,5433,", "NAME": "tidings"},
            {},
        ),
        (
            "postgres://a,b/tidings?target_session_attrs=primary",
            {"HOST": "a,b", "NAME": "tidings"},
            {"target_session_attrs": "primary"},
        ),
        (
            "postgres://h/t?sslmode=require&application_name=a%20b",
            {"HOST": "h", "NAME": "t"},
            {"sslmode": "require", "application_name": "a b"},
        ),
        (
            "postgres://h/t?keepalives_idle=60&tcp_user_timeout=0",
            {"HOST": "h", "NAME": "t"},
            {"keepalives_idle": "60", "tcp_user_timeout": "0"},
        ),
        ("postgres://h/t?options=-c%20search_path%3Dx", {"HOST": "h", "NAME": "t"}, {"options": "-c search_path=x"}),
    ],
)
def test_what_is_meant(url: str, meant: dict[str, str], options: dict[str, str]) -> None:
    database = parse("DATABASE_URL", url, pool_size=7)
    pool = database["OPTIONS"].pop("pool")
    assert (pool["max_size"], pool["min_size"]) == (7, 1)
    assert database == {
        **EMPTY,
        **meant,
        "ENGINE": "config.database",
        "OPTIONS": {**DEFAULTS, **options},
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://localhost/tidings", "must name a PostgreSQL database: postgres://user:password@host/name."),
        ("nonsense", "must name a PostgreSQL database"),
        ("postgres://localhost", "must name its database"),
        ("postgres://localhost/t?pool=true", "must not have the option pool: DATABASE_POOL_SIZE"),
        ("postgres://localhost/t?CONN_MAX_AGE=60", "must not have the option CONN_MAX_AGE: connections are kept"),
        ("postgres://localhost/t?isolation_level=serializable", "must not have the option isolation_level"),
        ("postgres://localhost/t?client_encoding=latin1", "must not have the option client_encoding"),
        ("postgres://localhost/t?replication=database", "must not have the option replication"),
        ("postgres://localhost/t?nonsense=1", f"{UNKNOWN}: 'nonsense'."),
        ("postgres://localhost/t?prepare_threshold=5", UNKNOWN),
        ("postgres://localhost/t?sslmode=bogus", f'{REFUSED}: invalid sslmode value: "bogus".'),
        ("postgres://localhost/t?sslmode=prefer&sslrootcert=system", f"{REFUSED}: weak"),
        (
            "postgres://localhost/t?sslmode=verify-ca&sslrootcert=/no/such/file",
            "has an sslrootcert that names no file: /no/such/file.",
        ),
        ("postgres://localhost/t?sslmode=require&sslmode=disable", "has the option sslmode twice."),
        ("postgres://localhost/t?target_session_attrs=standby", "must have target_session_attrs of any, read-write,"),
        ("postgres://localhost/t?target_session_attrs=read-only", "must have target_session_attrs of"),
        ("postgres://localhost/t?connect_timeout=soon", "must have a whole number as connect_timeout, not 'soon'."),
        ("postgres://localhost/t?tcp_user_timeout=-1", "must have a whole number as tcp_user_timeout, not '-1'."),
        ("postgres://localhost/t?host=elsewhere", "says its host twice, and differently."),
        ("postgres://localhost:5432/t?port=5433", "says its port twice, and differently."),
        ("postgres:///t?host=a,b&port=1,2,3", "must have a port for each host, or one for all."),
        ("postgres:///t?port=99999", "has a port that is no number from 1 to 65535."),
        ("postgres://ada:qzxA7@localhost/t?password=wvkB9", "says its password twice, and differently."),
        ("postgres://ada:qzxA7/wvkB9@localhost/t", "has an @ behind what is read as its host"),
        ("postgres://ada:qzxA7@localhost/t?password=qzxA7&sslmode=bogus", REFUSED),
    ],
)
def test_what_cannot_work_is_refused(url: str, why: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        parse("DATABASE_URL", url, pool_size=12)
    assert str(refused.value).startswith(f"DATABASE_URL {why}")
    told = "".join(traceback.format_exception(refused.value))
    assert "qzxA7" not in told and "wvkB9" not in told


def test_options_of_libpq_are_looked_at_without_a_server() -> None:
    every: dict[str, Any] = parse(
        "DATABASE_URL",
        "postgres://192.0.2.1/t?hostaddr=192.0.2.2&sslmode=verify-full&channel_binding=require&sslrootcert=system",
        pool_size=12,
    )
    assert every["OPTIONS"]["channel_binding"] == "require"
