"""A whole Tidings for the tests of faults: what is done to its processes touches nobody else."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from demo.local import processes, programs
from demo.local.processes import Child, Service
from demo.local.servers import Postgres, Valkey
from tests.channels_app.kinds.receivers import Receivers
from tests.demo.local.launching import PROJECT, free_port
from tests.waiting import wait_until

TIMEOUT_SECONDS = 4
CHANNEL_CAP = 4
SETTINGS = {
    "CHANNEL_CONCURRENCY": str(CHANNEL_CAP),
    "DELIVERY_CONCURRENCY": "16",
    "FUNNEL_COMPLETION_SECONDS": "1",
    "POSTBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "POSTBACK_RETRY_DELAYS_SECONDS": "0.2,0.2,0.2",
    "POSTBACK_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
    "SWEEP_INTERVAL_SECONDS": "0.2",
}
DELIVERIES, ATTEMPTS = "notifications_delivery", "notifications_deliveryattempt"
# A killed process, unlike a killed machine, keeps all that it has written. What is committed must be written, though.
# A loopback address of our own, so that the port is free whatever else runs on this machine.
_ADDRESS = f"127.83.{os.getpid() % 250}.7"
_POSTGRES = ("fsync=off", f"listen_addresses={_ADDRESS}")


class Server:
    """PostgreSQL or Valkey, started as often as a test wants to."""

    def __init__(self, server: Postgres | Valkey) -> None:
        self._server = server
        self.url = server.url
        self.tcp_url = f"postgres://tidings@{_ADDRESS}/tidings"
        self.child: Child | None = None

    def start(self) -> None:
        self.child = processes.start(self._server.service(), os.environ, Path("/"))
        wait_until(self._server.ready, timeout=60)

    def stop(self) -> None:
        """In order: the fast shutdown of PostgreSQL, SIGTERM for Valkey."""
        if self.child:
            wake(self.child)
            processes.stop([self.child])

    def ensure(self) -> None:
        """Let it run again after whatever a test has done to it."""
        if self.child and self.child.alive():
            wake(self.child)
        else:
            self.start()


class Installation:
    """PostgreSQL, Valkey and the web process run from `start` to `close`; workers and beats until `clear`."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self._folder = folder
        self._programs: list[Child] = []
        self._logs = count(1)
        self._web: list[Child] = []
        self._web_port = free_port()
        self.postgres = Server(Postgres(folder / "postgres", sockets, folder / "postgres.log", _POSTGRES))
        self.valkey = Server(Valkey(sockets, folder / "valkey.log"))
        self.broker = Redis.from_url(self.valkey.url, socket_timeout=5)
        self.environment = {
            **os.environ,
            **SETTINGS,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }

    def start(self) -> None:
        self.postgres.start()
        self.valkey.start()
        self._key = self.run("prepare").split()[-1]
        web = replace(programs.web(self._web_port), log=self._folder / "web.log")
        self._web = [processes.start(web, self.environment, PROJECT)]
        wait_until(self._web_answers, timeout=60)

    def run(self, module: str, *arguments: str, timeout: float = 120, **settings: str) -> str:
        """Run a program of this folder to its end. Returns what it printed. Raises `subprocess.TimeoutExpired`."""
        command = [sys.executable, "-m", f"tests.faults.{module}", *arguments]
        ended = subprocess.run(
            command,
            cwd=PROJECT,
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=timeout,
        )
        return ended.stdout

    def worker(self, **settings: str) -> Child:
        """As `make run` starts it, except for the length of its leases."""
        service = programs.worker(len(self._programs), os.getpid(), TIMEOUT_SECONDS)
        command = ["tests.faults.worker" if word == "celery" else word for word in service.command]
        return self._start(replace(service, command=command), settings)

    def beat(self) -> Child:
        return self._start(programs.beat(), {})

    def _start(self, service: Service, settings: dict[str, str]) -> Child:
        name = f"{next(self._logs)} {service.name}"
        service = replace(service, log=self._folder / f"{name}.log")
        child = processes.start(service, {**self.environment, **settings, "PGAPPNAME": name}, PROJECT)
        self._programs.append(child)
        return child

    def kill(self, program: Child) -> None:
        """SIGKILL. Returns when PostgreSQL has done, too, what the program had asked it for: a claim or a record whose
        commit was on its way is committed some moments after its process has gone.
        """
        program.kill()
        name = self.log_file(program).stem
        connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        wait_until(lambda: self.ask(connected, name) == [(0,)], timeout=60, interval=0.01)

    def log_file(self, program: Child) -> Path:
        return program.service.log or Path(os.devnull)

    def log(self, program: Child) -> str:
        return self.log_file(program).read_text(errors="replace")

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that PostgreSQL answers with."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def call(self, method: str, path: str, body: object = None, key: str | None = None) -> Any:
        """Call the API; `path` begins after `/api/v1`, `key` is for idempotency. Raises HTTPError for a refusal."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._web_port}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers=headers,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def channels(self, receiver: Receivers, path: str, *event_types: str) -> None:
        """A channel of each kind, attached to these event types for all sources, and named after its path."""
        for kind, each in receiver.by_kind.items():
            self.channel(f"/{kind}{path}", each.channel(f"/{kind}{path}"), *event_types)

    def channel(self, name: str, to: dict[str, Any], *event_types: str) -> None:
        """A channel, attached to these event types for all sources; `to` is its kind and where it leads."""
        channel = self.call("POST", "/channels", {"name": name, **to})["id"]
        for event_type in event_types:
            self.call("PATCH", f"/event-types/{event_type}", {"enabled": True})
            attached = {"channel": channel, "sources": ["admin", "shop", "funnel"]}
            self.call("POST", f"/event-types/{event_type}/channels", attached)

    def contact(self, number: int, key: str | None = None) -> None:
        """A new contact of the shop: one event, `contact.created`."""
        self.call("POST", "/contacts", {"source": "shop", **person(number)}, key)

    def order(self, number: int, **members: object) -> str:
        """An open order by a new contact: one event, `contact.created`. Returns its number."""
        ordered = {"source": "shop", "contact": person(number), "items": [{"sku": "mug", "quantity": 1}], **members}
        order: str = self.call("POST", "/orders", ordered)["number"]
        return order

    def purchase(self, order: str) -> None:
        """Approved: `transaction.approved`, `customer.created`, and `order.completed` where it is not a funnel's."""
        bought = {"status": "approved", "amount": "12.50", "gateway": "card", "reference": order}
        self.call("POST", f"/orders/{order}/transactions", bought)

    def in_flight(self) -> set[str]:
        """The deliveries that a worker has taken, whether or not their attempts have begun yet."""
        return {delivery for (delivery,) in self.ask(f"SELECT id FROM {DELIVERIES} WHERE lease_token IS NOT NULL")}

    def listeners(self) -> int:
        """How many workers wait for a message of the broker."""
        return [client["cmd"] for client in self.broker.client_list()].count("brpop")

    def settle(self, timeout: float = 60) -> None:
        """Wait until no delivery goes on by itself."""
        pending = f"SELECT count(*) FROM {DELIVERIES} WHERE status = 'pending' AND NOT is_alert"
        wait_until(lambda: self.ask(pending) == [(0,)], timeout, interval=0.1)

    def clear(self) -> None:
        """As it was before the test."""
        for program in self._programs:
            program.kill()
        self._programs.clear()
        self.postgres.ensure()
        self.valkey.ensure()
        self.broker.config_set("maxmemory", 0)
        self.broker.flushall()
        tables = (
            *("orders_order", "orders_contact", "channels_app_channel", "api_idempotencyrecord"),
            *("notifications_event", "notifications_eventtypeswitch", "notifications_heartbeat"),
        )
        self.ask(f"TRUNCATE {', '.join(tables)} CASCADE")

    def close(self) -> None:
        """End every process, in whatever state they are."""
        for program in (*self._programs, *self._web):
            program.kill()
        self.valkey.stop()
        self.postgres.stop()

    def _web_answers(self) -> bool:
        try:
            self.call("GET", "/products")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True


def person(number: int) -> dict[str, str]:
    return {"email": f"ada{number}@example.com", "first_name": "Ada", "last_name": "Byron"}


def freeze(child: Child) -> None:
    """SIGSTOP: it lives, and does nothing. Returns when the last of its threads has stopped."""
    os.killpg(child.pid, signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)


def wake(child: Child) -> None:
    """SIGCONT, for whoever may be frozen."""
    if child.alive():
        os.killpg(child.pid, signal.SIGCONT)


@contextmanager
def frozen(child: Child) -> Iterator[None]:
    freeze(child)
    try:
        yield
    finally:
        wake(child)
