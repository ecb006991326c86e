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
from pathlib import Path

from demo.local import environment, processes, programs
from demo.local.other_runs import AlreadyRunning, DataFolderLock, Records
from demo.local.processes import Service
from demo.local.servers import Postgres, ServerError, Valkey, socket_folder
from demo.local.supervisor import RunFailed, StopRequested, Supervisor

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"


def main() -> int:
    """Run until a stop is requested; returns the exit code."""
    if "MAKELEVEL" in os.environ:
        processes.die_with_parent(signal.SIGTERM)  # a killed make takes us along, in order
    try:
        port = environment.port()
        data = environment.data_folder(PROJECT)
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
        supervisor.watch()
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
        login = self._supervisor.run(programs.prepare()).split()
        environment.publish(self._data, variables)

        timeout = float(variables.get("POSTBACK_TIMEOUT_SECONDS", 30))
        numbers = range(1, programs.WORKER_PROCESSES + 1)
        self._front = [programs.web(self._port), programs.beat()]
        self._workers = [programs.worker(number, os.getpid(), timeout) for number in numbers]
        for service in (*self._front, *self._workers):
            self._supervisor.start(service)
        self._supervisor.wait_for(lambda: _answers(self._port), 120, "The web process does not answer")
        _say(f"Tidings is running at http://{HOST}:{self._port}/")
        if login:
            _say("Log in as {} with the password {}".format(*login))
        _say("Ctrl-C stops it.")

    def stop(self) -> None:
        """Whatever had been started, and the traces of it."""
        self._supervisor.stop(self._front)
        self._supervisor.stop(self._workers)
        self._supervisor.stop(self._servers, unhurried=True)
        environment.withdraw(self._data)
        self._records.close()

    def _start_servers(self, variables: dict[str, str]) -> None:
        """Starts the servers that the variables do not name, and names them there."""
        logs = self._data / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        sockets = socket_folder()
        self._records.keep_sockets(sockets)
        if "DATABASE_URL" not in variables:
            postgres = Postgres(self._data / "postgres", sockets, _emptied(logs / "postgres.log"))
            self._start_server(postgres)
            variables["DATABASE_URL"] = postgres.url
        if "REDIS_URL" not in variables:
            valkey = Valkey(sockets, _emptied(logs / "valkey.log"))
            self._start_server(valkey)
            variables["REDIS_URL"] = valkey.url

    def _start_server(self, server: Postgres | Valkey) -> None:
        service = server.service()
        self._servers.append(service)
        self._supervisor.start(service)
        self._supervisor.wait_for(server.ready, 60, f"{service.name} does not answer; its log is {service.log}")


def _emptied(log: Path) -> Path:
    log.write_bytes(b"")
    return log


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
