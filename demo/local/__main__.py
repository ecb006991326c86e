"""`make run`: the whole of Tidings on one machine, with nothing installed but Python.

Order of start: PostgreSQL and Valkey (each only where DATABASE_URL or REDIS_URL is not set), migrations, static
files, demo data, then web, worker and beat. Order of stop: web and beat, the worker, the servers.
"""

import errno
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from demo.local import environment, processes, programs
from demo.local.folders import data_folder
from demo.local.logs import Logs
from demo.local.other_runs import AlreadyRunning, DataFolderLock, Records
from demo.local.processes import Service
from demo.local.servers import Postgres, ServerError, Valkey, socket_folder
from demo.local.summary import Summary
from demo.local.supervisor import RunFailed, StopRequested, Supervisor

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"


def main() -> int:
    """Run until a stop is requested; returns the exit code."""
    if "MAKELEVEL" in os.environ:
        processes.die_with_parent(signal.SIGTERM)  # a killed make takes us along, in order
    try:
        port = environment.port()
        data = data_folder(PROJECT)
        data.mkdir(mode=0o711, parents=True, exist_ok=True)
        lock = DataFolderLock(data)
        records = Records(data / "processes.json")
        killed_before = records.clear_away()
        environment.withdraw(data)
        if not _port_is_free(port, patience=5 if killed_before else 0):
            return _refuse(f"Port {port} of {HOST} is in use. Stop what uses it, or set PORT to another one.")
        return _run(port, data, lock, records)
    except (environment.EnvironmentRefused, AlreadyRunning) as problem:
        return _refuse(str(problem))
    except KeyboardInterrupt:  # before anything was started
        return 0
    except OSError as problem:
        return _refuse(f"Cannot start: {problem}.")


def _run(port: int, data: Path, lock: DataFolderLock, records: Records) -> int:
    code = 0
    supervisor = Supervisor(records, PROJECT, _say)
    run = _Run(supervisor, records, port, data)
    supervisor.listen_to_signals()
    try:
        run.start()
        supervisor.watch(run.look)
    except StopRequested:
        _say("Stopping: a delivery in flight ends first. Ctrl-C again does not wait for it.")
    except (RunFailed, ServerError) as problem:
        _say(f"Stopping, since Tidings cannot go on: {problem}")
        code = 1
    finally:
        lock.say_stopping()
        run.stop()
    _say("Stopped.")
    return code


class _Run:
    """The programs of a run: started in order, and stopped in theirs."""

    def __init__(self, supervisor: Supervisor, records: Records, port: int, data: Path) -> None:
        self._supervisor = supervisor
        self._records = records
        self._port = port
        self._data = data
        self._logs = Logs(data)
        self._summary = Summary()
        self._address = f"http://{HOST}:{port}/"
        self._login: list[str] = []
        self._servers: list[Service] = []
        self._front: list[Service] = []
        self._workers: list[Service] = []

    def start(self) -> None:
        """Returns when the web process answers. Raises StopRequested, RunFailed, ServerError, EnvironmentRefused."""
        variables = environment.for_children(self._data, self._port)
        self._supervisor.use(variables)
        self._start_servers(variables)
        self._supervisor.use(variables)
        _say("Preparing the database ...")
        self._login = self._supervisor.run(self._logged(programs.prepare(), "prepare")).split()
        environment.publish(self._data, variables)
        _say("Starting web, worker and beat ...")

        timeout = float(variables.get("POSTBACK_TIMEOUT_SECONDS", 30))
        numbers = range(1, programs.WORKER_PROCESSES + 1)
        web = self._logged(programs.web(self._port), "web")
        self._front = [web, self._logged(programs.beat(), "beat")]
        self._workers = [
            self._logged(programs.worker(number, os.getpid(), timeout), f"worker-{number}") for number in numbers
        ]
        for service in (*self._front, *self._workers):
            self._supervisor.start(service)
        self._wait_for(lambda: _answers(self._port), 120, web)
        _say(f"The log is in {self._logs.folder}/; make logs follows it.")
        self._say_where()

    def look(self) -> None:
        """Reads on in the log, and tells now and then what there was in it; after the first time, where we are."""
        self._summary.add(self._logs.new_lines())
        if not self._summary.is_due():
            return
        first = not self._summary.has_told
        told = f"{time.strftime('%H:%M')}  {self._summary.tell()}."
        if first:
            _say(told)
            self._say_where()
        else:
            _say(f"{told} {self._address}")

    def _logged(self, service: Service, name: str) -> Service:
        """The same program, with the log of this name instead of the terminal."""
        return replace(service, log=self._logs.begin(name))

    def _say_where(self) -> None:
        _say(f"Tidings is running at {self._address}")
        if self._login:
            _say("Log in as {} with the password {}".format(*self._login))
        _say("Ctrl-C stops it.")

    def _wait_for(self, condition: Callable[[], bool], seconds: float, service: Service) -> None:
        """Waits for a program to answer. Raises RunFailed with the end of its log, StopRequested."""
        try:
            self._supervisor.wait_for(condition, seconds, f"{service.name} does not answer")
        except RunFailed as problem:
            if (last_words := service.last_words()) in str(problem):
                raise
            raise RunFailed(f"{problem}\n{last_words}") from problem

    def stop(self) -> None:
        """Whatever had been started, and the traces of it."""
        self._supervisor.stop(self._front)
        self._supervisor.stop(self._workers)
        self._supervisor.stop(self._servers, unhurried=True)
        environment.withdraw(self._data)
        self._records.close()

    def _start_servers(self, variables: dict[str, str]) -> None:
        """Starts the servers that the variables do not name, and names them there."""
        sockets = socket_folder()
        self._records.keep_sockets(sockets)
        if "DATABASE_URL" not in variables:
            postgres = Postgres(self._data / "postgres", sockets, self._logs.begin("postgres"))
            self._start_server(postgres)
            variables["DATABASE_URL"] = postgres.url
        if "REDIS_URL" not in variables:
            valkey = Valkey(sockets, self._logs.begin("valkey"))
            self._start_server(valkey)
            variables["REDIS_URL"] = valkey.url

    def _start_server(self, server: Postgres | Valkey) -> None:
        service = server.service()
        self._servers.append(service)
        self._supervisor.start(service)
        self._wait_for(server.ready, 60, service)


def _port_is_free(port: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does
            try:
                probe.bind((HOST, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def _answers(port: int) -> bool:
    """Whether the web process gives any HTTP answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _say(message: str) -> None:
    try:
        print(message, flush=True)
    except OSError:  # the terminal is gone
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for the rest of this process


if __name__ == "__main__":
    sys.exit(main())
