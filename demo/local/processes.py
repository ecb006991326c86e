"""Child processes that do not outlive the one who started them.

Each child leads a session of its own, so that a Ctrl-C in the terminal reaches the launcher alone, and its
helpers (the workers of gunicorn) can be signalled as a group. On Linux the kernel signals a child when its
starter dies in whatever way (`PR_SET_PDEATHSIG`); elsewhere the next start cleans up (`demo.local.other_runs`).
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_CLONE_NEWUSER = 0x10000000
_POLL_SECONDS = 0.05
_PROC = Path("/proc/self/stat").exists()

# Loaded before any fork: the child between fork and exec only calls it.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The user that a child runs as: the caller's, unless set.

    `user` and `group` are ids to change to, which takes root. `mapped_to` is the user id under which the child
    sees itself in a user namespace of its own; its files still belong to the user who started it. `enters_all` lets
    `user` pass the folders that only root may enter, such as root's home; it takes the program setpriv.
    """

    user: int | None = None
    group: int | None = None
    mapped_to: int | None = None
    enters_all: bool = False

    def changed_by_setpriv(self, command: list[str], death_signal: signal.Signals) -> list[str]:
        """The command as this user with one right of root. The change of user clears the death signal: again."""
        return [
            *("setpriv", "--reuid", str(self.user), "--regid", str(self.group), "--clear-groups"),
            *("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"),
            *("--pdeathsig", death_signal.name.removeprefix("SIG"), "--", *command),
        ]


@dataclass(frozen=True)
class Service:
    """A program, and how it wants to be stopped. Seconds in `patience`; after that it is killed."""

    name: str
    command: list[str]
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what it gets when its starter has died
    patience: float = 10
    log: Path | None = None  # what it writes is appended here, but for a captured stdout; the terminal when None
    account: Account = Account()

    def last_words(self, lines: int = 8) -> str:
        """The end of its log, and where that is; empty when it has none."""
        if self.log is None or not self.log.exists():
            return ""
        end = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"The end of {self.log}:", *end]) if end else ""


def start(service: Service, environment: Mapping[str, str], folder: Path, captured: bool = False) -> "Child":
    """Starts the program. Call it from the main thread: the kernel watches the thread that forked.

    With `captured`, its stdout is a pipe. Raises OSError or subprocess.SubprocessError when it
    cannot be started.
    """
    with contextlib.ExitStack() as stack:
        log: IO[bytes] | None = stack.enter_context(service.log.open("ab")) if service.log else None
        account, command = service.account, service.command
        if account.enters_all:
            command = account.changed_by_setpriv(command, service.death_signal)
            account = Account()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if captured else log,
            stderr=log,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            user=account.user,
            group=account.group,
            extra_groups=None if account.user is None else [],
            preexec_fn=_before_exec(account, service.death_signal),
        )
    return Child(service, process)


@dataclass
class Child:
    """A started program."""

    service: Service
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.alive():
            self.process.send_signal(self.service.stop_signal)

    def kill(self) -> None:
        """Ends the program and what it has left of its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


def stop(children: list[Child], in_a_hurry: Callable[[], bool] = lambda: False) -> list[str]:
    """Stops the children together; returns the names of those that had to be killed."""
    for child in children:
        child.ask_to_stop()
    started, killed = time.monotonic(), []
    for child in children:
        while child.alive() and not in_a_hurry() and time.monotonic() < started + child.service.patience:
            time.sleep(_POLL_SECONDS)
        if child.alive():
            killed.append(child.service.name)
        child.kill()
    return killed


def identity(pid: int) -> str | None:
    """The identity of a process, by which a later one with the same pid differs; None when there is no such process.

    The boot and the start time in clock ticks where /proc has them, else what ps says. A zombie is gone.
    """
    if _PROC:
        try:
            # The name of the program stands in parentheses and may itself contain blanks and parentheses.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
    return _ps(pid, "lstart")


def end_stranger(pid: int, sign: signal.Signals, patience: float = 10) -> None:
    """Ends a process that is not our child, with its group: `sign` first, SIGKILL after `patience` seconds."""
    known = identity(pid)
    if known is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)
        deadline = time.monotonic() + patience
        while identity(pid) == known and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        os.killpg(pid, signal.SIGKILL)  # its helpers too; there is no such group once all of them are gone


def command_line(pid: int) -> str:
    """The words of the command, parted by blanks; empty when there is no such process."""
    if _PROC:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    return _ps(pid, "command") or ""


def die_with_parent(sign: signal.Signals) -> None:
    """Asks the kernel to send `sign` to this process when its parent dies; does nothing where it cannot."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(sign), 0, 0, 0)


def _ps(pid: int, column: str) -> str | None:
    answer = subprocess.run(["ps", "-ww", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True)
    return answer.stdout.strip() or None


def _before_exec(account: Account, death_signal: signal.Signals) -> Callable[[], None]:
    """The work of the child between fork and exec. The namespace comes first: entering it clears the death signal."""
    parent = os.getpid()

    def prepare() -> None:
        if account.mapped_to is not None:
            _enter_user_namespace(account.mapped_to)
        die_with_parent(death_signal)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return prepare


def _enter_user_namespace(mapped_to: int) -> None:
    """Becomes `mapped_to` in a namespace of its own (user_namespaces(7)). Raises OSError if refused."""
    if _libc is None:
        raise OSError("user namespaces are a feature of Linux")
    user, group = os.geteuid(), os.getegid()
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # a change of user took the right to write the own maps
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{mapped_to} {user} 1"),
        ("gid_map", f"{mapped_to} {group} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, content.encode())
        os.close(descriptor)
