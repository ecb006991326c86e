"""DATABASE_URL as Django's settings take it. What cannot work is refused at start, in words."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo, PGconn

from config.connection_urls import one_of, refuse, refuse_unencoded

_SCHEMES = ("postgres", "postgresql", "psql", "pgsql")
# A server that vanishes without a word (no TCP reset comes from it) is given up within some seconds, on idle
# connections and on those in use. Without these it would be a quarter of an hour. In seconds, but for tcp_user_timeout.
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
# How long a caller waits for a connection, and how long the pool goes on trying before it gives its callers the cause
# there is none. Its pauses double from a second on, so that a server which is back is found within some two seconds.
_POOL = {"min_size": 1, "timeout": 10, "reconnect_timeout": 5}
_NOT_OURS = {
    "pool": "DATABASE_POOL_SIZE is the size of the pool",
    "conn_max_age": "connections are kept in a pool, see DATABASE_POOL_SIZE",
    "client_encoding": "it is always UTF8",
    "isolation_level": "it is always read committed",
    "replication": "a replication connection takes no ordinary statements",
}
_WRITABLE = ("any", "read-write", "primary")
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
# A folder that does not exist, so that the client library looks at its options and then finds no server.
_NOWHERE = "/nonexistent/tidings"


def parse(name: str, value: str, *, pool_size: int) -> dict[str, Any]:
    """`DATABASES["default"]` for `value`, that of the variable `name`.

    `postgres://user:password@host:5432/name?sslmode=verify-full`; several hosts are parted by commas, a socket's
    folder is an option `host` or a percent-encoded host. All options of libpq may follow, those that it would refuse
    are refused here. Raises `ImproperlyConfigured`, without a piece of a password.
    """
    refuse_unencoded(name, value)
    url = urlsplit(value.strip())
    if url.scheme not in _SCHEMES:
        refuse(name, "must name a PostgreSQL database: postgres://user:password@host/name.")
    options = _options(name, url.query)
    user_and_password, _, address = url.netloc.rpartition("@")
    user, _, password = user_and_password.partition(":")
    host, port = _hosts(address)
    database = unquote(url.path.removeprefix("/"))
    if database.startswith("/"):  # postgres:////folder/of/the/socket/name
        host, _, database = database.rpartition("/")
    said = {
        part: one_of(name, part, value, options.pop(part, ""))
        for part, value in (
            ("user", unquote(user)),
            ("password", unquote(password)),
            ("host", host),
            ("port", port),
            ("dbname", database),
        )
    }
    if not said["dbname"] and "service" not in options:
        refuse(name, "must name its database: postgres://user:password@host/name.")
    _check_ports(name, said["host"], said["port"])
    _check_values(name, options)
    return {
        "ENGINE": "config.database",
        "NAME": said["dbname"],
        "USER": said["user"],
        "PASSWORD": said["password"],
        "HOST": said["host"],
        "PORT": said["port"],
        "OPTIONS": {
            **_DEFAULTS,
            **options,
            "pool": {**_POOL, "max_size": pool_size},
        },
        "CONN_HEALTH_CHECKS": True,
        # A cursor of the server would be gone with its connection behind a pooler that gives one to a transaction.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


def _options(name: str, query: str) -> dict[str, str]:
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    options: dict[str, str] = {}
    for option, value in parse_qsl(query, keep_blank_values=True):
        if reason := _NOT_OURS.get(option.lower()):
            refuse(name, f"must not have the option {option}: {reason}.")
        if option not in known:
            refuse(name, f"has an option that PostgreSQL's client library does not know: {option!r}.")
        if option in options:
            refuse(name, f"has the option {option} twice.")
        options[option] = value
    return options


def _hosts(address: str) -> tuple[str, str]:
    """The hosts and the ports in `a:5432,[::1]:5433`, each joined by commas as libpq takes them."""
    hosts, ports = [], []
    for each in address.split(","):
        bracketed = re.fullmatch(r"\[(.*)\](?::(.*))?", each)
        host, port = bracketed.groups() if bracketed else each.partition(":")[::2]
        hosts.append(unquote(host))
        ports.append(port or "")
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _check_ports(name: str, host: str, port: str) -> None:
    ports = port.split(",")
    if len(ports) > 1 and len(ports) != len(host.split(",")):
        refuse(name, "must have a port for each host, or one for all.")
    if not all(not each or (each.isascii() and each.isdigit() and 1 <= int(each) <= 65535) for each in ports):
        refuse(name, "has a port that is no number from 1 to 65535.")


def _check_values(name: str, options: dict[str, str]) -> None:
    for option in _DEFAULTS:
        if option in options and not re.fullmatch(r"[0-9]{1,9}", options[option]):
            refuse(name, f"must have a whole number as {option}, not {options[option]!r}.")
    if options.get("target_session_attrs", "any") not in _WRITABLE:
        refuse(name, f"must have target_session_attrs of {', '.join(_WRITABLE)}: Tidings writes.")
    for option in _FILES:
        if options.get(option) and options[option] != "system" and not Path(options[option]).is_file():
            refuse(name, f"has an {option} that names no file: {options[option]}.")
    judged = {option: value for option, value in options.items() if option not in {"hostaddr", "service"}}
    # Named, since else the library asks the system for a user's name, which not everybody has.
    named = {"host": _NOWHERE, "user": "somebody", "dbname": "nothing"}
    connection = PGconn.connect_start(make_conninfo(**{**judged, **named}).encode())
    said = connection.error_message.decode(errors="replace").strip()
    connection.finish()
    if _NOWHERE not in said:
        refuse(name, f"has an option that PostgreSQL's client library refuses: {said}.")
