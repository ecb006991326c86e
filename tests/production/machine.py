"""A machine whose first process is systemd: systemd-nspawn on this system's own /usr, with the network of this machine.

Everything else of it is made anew and forgotten. What is not possible here raises `Unavailable` with the reason.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

from demo.local import processes
from demo.local.processes import Service
from tests.deploy.reading import UNITS
from tests.production.image import Unavailable, descendants
from tests.waiting import wait_until

CODE, PACKAGES = "/opt/tidings", "/opt/packages"
# Where no unit of `ProtectHome` finds Python, it is shown at another place.
PYTHON = "/opt/python"


class Machine:
    """Has the units of deploy/systemd, their user, the code at /opt/tidings and the environment file `environment`.
    `web_port` is where web listens in the place of 8000, which may be taken here.
    """

    def __init__(self, folder: Path, clone: Path, environment: str, web_port: int) -> None:
        if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
            raise Unavailable("it takes root and systemd-nspawn (Debian's package systemd-container)")
        base = Path(sys.base_prefix).resolve()
        own = base.is_relative_to("/usr")
        self._folder = folder
        units, settings = folder / "units", folder / "settings"
        units.mkdir()
        settings.mkdir()
        for path in [*UNITS.glob("*.service"), *UNITS.glob("*.target")]:
            text = path.read_text()
            (units / path.name).write_text(text.replace("127.0.0.1:8000", f"127.0.0.1:{web_port}"))
        (settings / "env").touch(0o600)
        # Where Python's library is beside it, it is looked for where it was installed.
        (settings / "env").write_text(environment if own else f"{environment}LD_LIBRARY_PATH={PYTHON}/lib\n")
        environment_of_python(clone / ".venv", str(base) if own else PYTHON)
        binds = {
            str(clone): (CODE, "ro"),
            sysconfig.get_paths()["purelib"]: (PACKAGES, "ro"),
            str(UNITS / "tidings.sysusers.conf"): ("/etc/sysusers.d/tidings.conf", "ro"),
            str(settings): ("/etc/tidings", "ro"),
            str(units): ("/etc/systemd/system", "rw"),
            **({} if own else {str(base): (PYTHON, "ro")}),
        }
        self._command = [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--directory=/"),
            *("--volatile=yes", f"--machine=tidings-{os.getpid()}"),
            *(f"--bind{'-ro' if how == 'ro' else ''}={here}:{there}" for here, (there, how) in binds.items()),
            # Without multi-user.target, whose servers of this system would take their ports.
            *("--boot", "systemd.unit=basic.target"),
        ]

    def start(self) -> None:
        """Returns when it is up. Raises Unavailable where it does not come up."""
        log = self._folder / "machine.log"
        self.child = processes.start(Service("systemd-nspawn", self._command, log=log), os.environ, self._folder)
        try:
            wait_until(lambda: not self.child.alive() or self._up(), timeout=60)
        except AssertionError as error:
            raise Unavailable(f"systemd does not come up: {log.read_text()[-500:]}") from error
        if not self.child.alive():
            raise Unavailable(f"systemd-nspawn ended: {log.read_text()[-500:]}")

    def _up(self) -> bool:
        found = [pid for pid in descendants(self.child.pid) if is_systemd(pid)]
        if found:
            self._first = found[0]
        return bool(found) and self.run("systemctl", "is-active", "basic.target").returncode == 0

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command of an operator on that machine."""
        return subprocess.run(
            ["nsenter", "--target", str(self._first), "--all", *command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=110,
            cwd="/",
        )

    def do(self, *command: str) -> str:
        """As `run`. Raises AssertionError where it fails, with what the units said."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.journal()[-5000:]}"
        return done.stdout

    def journal(self) -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit=tidings*").stdout

    def show(self, unit: str) -> Mapping[str, str]:
        """The properties of a unit."""
        lines = self.do("systemctl", "show", unit).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def close(self) -> None:
        if hasattr(self, "child"):
            for pid in descendants(self.child.pid)[:1]:
                os.kill(pid, signal.SIGKILL)  # with the first process of a PID namespace all others go
            self.child.kill()


def is_systemd(pid: int) -> bool:
    """Whether it is the first process of a machine: one of nspawn's own becomes that."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name == "systemd"
    except OSError:
        return False


def environment_of_python(folder: Path, base: str) -> None:
    """An environment as `python3 -m venv` makes it, for /opt/tidings/.venv, of the Python in `base`, with the packages
    of this one.
    """
    if folder.is_symlink():
        folder.unlink()
    venv.create(folder, symlinks=True)
    for name in ("python", "python3"):
        (folder / "bin" / name).unlink()
        (folder / "bin" / name).symlink_to(f"{base}/bin/python3.{sys.version_info.minor}")
    settings = folder / "pyvenv.cfg"
    settings.write_text(re.sub(r"^home = .*", f"home = {base}/bin", settings.read_text(), flags=re.MULTILINE))
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "packages.pth").write_text(f"{PACKAGES}\n")
    for name in ("gunicorn", "celery"):
        _, _, text = (Path(sys.prefix) / "bin" / name).read_text().partition("\n")
        script = folder / "bin" / name
        script.write_text(f"#!{CODE}/.venv/bin/python\n{text}")
        script.chmod(0o755)
