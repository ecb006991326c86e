"""Servers of Debian's packages, as an operator runs them: on TCP, with passwords and TLS.

A program that is not there skips the test, or fails it where `REQUIRE_PRODUCTION` is set, as .ci/run does.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
import redis

from demo.local import processes
from demo.local.processes import Account, Child, Service
from tests.demo.local.launching import free_port
from tests.waiting import wait_until

PACKAGES = {
    "postgres": "postgresql",
    "pgbouncer": "pgbouncer",
    "redis-server": "redis-server",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nginx": "nginx-light",
    "nsenter": "util-linux",
}
_FOLDERS = ("/usr/sbin", "/sbin")
PASSWORD = "se/cr?et #1%@"
ENCODED_PASSWORD = "se%2Fcr%3Fet%20%231%25%40"


def program(name: str) -> str:
    """The path of a program of the system; skips the test where there is none."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_FOLDERS]
    if name in {"postgres", "initdb"}:
        versions = Path("/usr/lib/postgresql").glob("*/bin")
        folders = [str(folder) for folder in sorted(versions, key=lambda each: -float(each.parent.name))]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        missing(f"{name} is not installed (Debian's package {PACKAGES.get(name, 'postgresql')})")
    return str(found)


def missing(why: str) -> None:
    """Skips the test; fails it on a machine that was to have everything."""
    if os.environ.get("REQUIRE_PRODUCTION"):
        pytest.fail(why)
    pytest.skip(why)


def servant() -> Account:
    """Who servers run as: they refuse root."""
    if os.geteuid() != 0:
        return Account()
    nobody = pwd.getpwnam("nobody")
    return Account(user=nobody.pw_uid, group=nobody.pw_gid)


def give_away(*paths: Path) -> None:
    """To whom servers run as."""
    account = servant()
    if account.user is not None and account.group is not None:
        for path in paths:
            os.chown(path, account.user, account.group)


class PostgreSQL:
    """A cluster on TCP whose user `tidings` has a password. `before` goes before the server's command."""

    def __init__(self, folder: Path, *settings: str, host: str = "127.0.0.1", before: Sequence[str] = ()) -> None:
        self.postgres, self.host, self.port = program("postgres"), host, free_port()
        self.data, self._log, self._settings, self._before = folder / "postgres", folder / "pg.log", settings, before
        secret = folder / "password"
        secret.write_text(PASSWORD)
        self.data.mkdir()
        give_away(self.data, secret, folder)
        run_as_servant(
            *(program("initdb"), "-D", str(self.data), "-U", "tidings", "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.0.0.0/8 scram-sha-256\n")
        self.child: Child | None = None

    def move(self, host: str, before: Sequence[str]) -> None:
        """To be started there, with its data."""
        self.host, self._before = host, before

    def start(self) -> "PostgreSQL":
        settings = (f"listen_addresses={self.host}", f"port={self.port}", "fsync=off", *self._settings)
        service = Service(
            name="PostgreSQL",
            command=[
                *(*self._before, self.postgres, "-D", str(self.data), "-k", ""),
                *(word for setting in settings for word in ("-c", setting)),
            ],
            log=self._log,
            account=Account() if self._before else servant(),
        )
        self.child = processes.start(service, os.environ, Path("/"))
        return self

    def url(self, database: str = "tidings", port: int | None = None, password: str = ENCODED_PASSWORD) -> str:
        return f"postgres://tidings:{password}@{self.host}:{port or self.port}/{database}"

    def create(self, database: str, template: str = "template1") -> None:
        """Waits for the server, then makes a database that is empty or a copy."""
        wait_until(self.answers, timeout=60)
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {database} TEMPLATE {template}")

    def answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            if self.child is not None and not self.child.alive():
                raise AssertionError(self._log.read_text()) from None
            return False
        return True

    def connect(self, database: str = "tidings") -> psycopg.Connection:
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user="tidings",
            password=PASSWORD,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()


class PgBouncer:
    """In transaction mode, in front of a PostgreSQL, with fewer connections to it than it has clients."""

    def __init__(self, folder: Path, postgres: PostgreSQL) -> None:
        self.port, self._log = free_port(), folder / "pgbouncer.log"
        users, settings = folder / "userlist.txt", folder / "pgbouncer.ini"
        users.write_text(f'"tidings" "{PASSWORD}"\n')
        settings.write_text(
            f"""[databases]
* = host={postgres.host} port={postgres.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = 6
max_client_conn = 200
"""
        )
        give_away(users, settings)
        service = Service(
            name="PgBouncer", command=[program("pgbouncer"), str(settings)], log=self._log, account=servant()
        )
        self.child = processes.start(service, os.environ, Path("/"))

    def kill(self) -> None:
        self.child.kill()


class Redis:
    """A Redis with a password. `settings` are `--name value`; `before` goes before the server's command."""

    def __init__(self, folder: Path, *settings: str, host: str = "127.0.0.1", before: Sequence[str] = ()) -> None:
        self.host, self.port, self._before = host, free_port(), before
        self._folder, self._settings = folder, settings
        self.child: Child | None = None

    def move(self, host: str, before: Sequence[str]) -> None:
        """To be started there, empty."""
        self.host, self._before = host, before

    def start(self) -> "Redis":
        listening = () if "--tls-port" in self._settings else ("--port", str(self.port))
        service = Service(
            name="Redis",
            command=[
                *(*self._before, program("redis-server"), *listening, "--bind", self.host, "--requirepass", PASSWORD),
                *("--save", "", "--dir", str(self._folder), *self._settings),
            ],
            log=self._folder / "redis.log",
            account=Account() if self._before else servant(),
        )
        self.child = processes.start(service, os.environ, Path("/"))
        return self

    def url(self, database: int = 0) -> str:
        return f"redis://:{ENCODED_PASSWORD}@{self.host}:{self.port}/{database}"

    def client(self, database: int = 0) -> redis.Redis:
        return redis.Redis(host=self.host, port=self.port, db=database, password=PASSWORD, socket_timeout=5)

    def answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()


def run_as_servant(*command: str) -> None:
    account = servant()
    subprocess.run(
        command,
        user=account.user,
        group=account.group,
        extra_groups=None if account.user is None else [],
        cwd="/",
        check=True,
        capture_output=True,
    )
