"""Keeps the started programs running, and stops them in order.

A program that dies unexpectedly is started again, at growing intervals: a killed worker or server is then an
incident that one can watch Tidings recover from, as in production. One that keeps dying ends the run.
"""

import signal
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import FrameType

from demo.local import processes
from demo.local.other_runs import Records
from demo.local.processes import Child, Service

_POLL_SECONDS = 0.1
_SETTLED_SECONDS = 30  # one that has lived longer has not failed at starting
_DEATHS_IN_A_ROW = 5
_FIRST_PAUSE_SECONDS = 0.5
_LINES_OF_A_TRACEBACK = 20
_LINES_OF_AN_ENDING = 3


class StopRequested(Exception):
    """Ctrl-C or SIGTERM while something was being waited for."""


class RunFailed(Exception):
    """The run cannot go on; the message is for the person at the terminal."""


class Supervised:
    """One program over all its starts."""

    def __init__(self, service: Service, child: Child) -> None:
        self.service = service
        self.child: Child | None = child
        self.started = time.monotonic()
        self.deaths = 0
        self.due = 0.0  # when to start it again, on the monotonic clock; only without a child


class Supervisor:
    """Starts programs, restarts those that die and stops them. `say` writes a line to the terminal."""

    def __init__(self, records: Records, folder: Path, say: Callable[[str], None]) -> None:
        self._records = records
        self._folder = folder
        self._say = say
        self._programs: list[Supervised] = []
        self._environment: dict[str, str] = {}
        self._stop_requested = False
        self._hurry = False

    def listen_to_signals(self) -> None:
        """Ctrl-C, SIGTERM and a closed terminal ask to stop; a second Ctrl-C hurries."""
        signal.signal(signal.SIGINT, self._on_interrupt)
        signal.signal(signal.SIGTERM, self._on_request)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup: stay
            signal.signal(signal.SIGHUP, self._on_request)

    def use(self, environment: Mapping[str, str]) -> None:
        """The environment of what is started from now on."""
        self._environment = dict(environment)

    def start(self, service: Service) -> None:
        self._programs.append(Supervised(service, self._launch(service)))

    def run(self, service: Service) -> str:
        """Runs a program to its end; returns what it wrote to stdout, at most a few lines. Raises RunFailed."""
        child = self._launch(service, captured=True)
        assert child.process.stdout is not None  # noqa: S101 - it was captured
        with child.process.stdout as output:
            try:
                self.wait_for(lambda: not child.alive(), 600, f"{service.name} takes more than ten minutes")
            finally:
                processes.stop([child])
                self._records.remove(child)
            said = output.read().decode()
        if child.process.returncode != 0:
            raise RunFailed(f"{service.name} failed.\n{service.last_words(_LINES_OF_A_TRACEBACK)}".rstrip())
        return said

    def wait_for(self, condition: Callable[[], bool], seconds: float, problem: str) -> None:
        """Waits, keeping the programs running. Raises StopRequested, and RunFailed with `problem` when time is up."""
        deadline = time.monotonic() + seconds
        while True:
            self._look_after_programs()
            if condition():
                return
            if time.monotonic() > deadline:
                raise RunFailed(f"{problem}.")
            time.sleep(_POLL_SECONDS)

    def watch(self, look: Callable[[], None]) -> None:
        """Returns never; calls `look` several times a second.

        Raises StopRequested, or RunFailed when a program keeps dying.
        """
        while True:
            self._look_after_programs()
            look()
            time.sleep(_POLL_SECONDS)

    def stop(self, services: Collection[Service], unhurried: bool = False) -> None:
        """Stops these together; those that were not started are skipped.

        `unhurried` ones stop quickly by themselves and get their time after a second Ctrl-C, too.
        """
        chosen = [program for program in self._programs if program.service in services]
        children = [program.child for program in chosen if program.child is not None]
        for name in processes.stop(children, in_a_hurry=lambda: self._hurry and not unhurried):
            self._say(f"{name} did not stop in time and was killed.")
        for program in chosen:
            self._programs.remove(program)
        for child in children:
            self._records.remove(child)

    def _launch(self, service: Service, captured: bool = False) -> Child:
        child = processes.start(service, self._environment, self._folder, captured=captured)
        self._records.add(child)
        return child

    def _look_after_programs(self) -> None:
        if self._stop_requested:
            raise StopRequested
        for program in self._programs:
            if program.child is None:
                if time.monotonic() >= program.due:
                    program.started = time.monotonic()
                    program.child = self._launch(program.service)
            elif not program.child.alive():
                self._restart_later(program, program.child)

    def _restart_later(self, program: Supervised, child: Child) -> None:
        child.kill()  # its helpers
        self._records.remove(child)
        program.child = None
        settled = time.monotonic() - program.started > _SETTLED_SECONDS
        program.deaths = 1 if settled else program.deaths + 1
        how = _ending(child.process.returncode)
        if program.deaths >= _DEATHS_IN_A_ROW:
            last_words = program.service.last_words()
            raise RunFailed(f"{program.service.name} {how} {program.deaths} times in a row.\n{last_words}".rstrip())
        pause = _FIRST_PAUSE_SECONDS * 2 ** (program.deaths - 1)
        program.due = time.monotonic() + pause
        self._say(f"{program.service.name} {how} unexpectedly; it starts again in {pause:g} s.")
        if child.process.returncode > 0 and (last_words := program.service.last_words(_LINES_OF_AN_ENDING)):
            self._say(last_words)

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._hurry = self._stop_requested
        self._stop_requested = True

    def _on_request(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requested = True


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
