"""The image of deploy/Containerfile, built without a daemon by buildah, and its containers.

What this machine or its network does not give raises `Unavailable` with the reason.
"""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.local import processes
from demo.local.processes import Child, Service
from tests.demo.local.launching import PROJECT, free_port
from tests.deploy.reading import DEPLOY, Program
from tests.production.client import Client
from tests.waiting import wait_until

BASE = "localhost/tidings-base"
IMAGE = "localhost/tidings"
RELEASE = "bookworm"
CHROOT = ("--isolation", "chroot", "--network", "host")
# Makes the root of a container read-only for what follows, in a mount namespace that nobody else sees.
READ_ONLY = 'mount --bind "$0" "$0" && mount --options remount,bind,ro "$0" && exec "$@"'
# buildah stumbles over a root that is read-only when it cleans up, so how a program ended is told beside it.
TOLD = "exit-status"
TELLING = f'"$@"; echo $? > /tmp/{TOLD}'
LISTENS_AT = ":8000"


class Unavailable(Exception):
    """What the image needs cannot be had here."""


class Buildah:
    """Images and containers in `folder`, apart from the system's."""

    def __init__(self, folder: Path) -> None:
        for program in ("buildah", "unshare", "mount"):
            if shutil.which(program) is None:
                raise Unavailable(f"{program} is not installed (Debian's package buildah)")
        if os.geteuid() != 0:
            raise Unavailable("it takes root to build an image without a daemon")
        self._folder = folder
        storage = ("--storage-driver", "vfs", "--root", str(folder / "images"), "--runroot", str(folder / "run"))
        self.command = ["buildah", *storage]

    def run(self, *words: str, timeout: float = 300) -> str:
        """What it printed. Raises Unavailable where it takes too long, and AssertionError where it fails."""
        done = ended([*self.command, *words], timeout)
        assert done.returncode == 0, f"buildah {' '.join(words)}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def base(self) -> str:
        """The base that the Containerfile names, from a registry of images; where none is reached, Debian with Python
        by debootstrap. Raises Unavailable where neither can be had.
        """
        (named,) = re.findall(r"^ARG PYTHON=(.*)$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
        if ended([*self.command, "pull", "--quiet", named], 120).returncode == 0:
            return str(named)
        if shutil.which("debootstrap") is None:
            raise Unavailable("no registry of images is reached, and debootstrap is not installed")
        root = self._folder / "base"
        packages = "--include=python3,python3-venv,ca-certificates"
        done = ended(["debootstrap", "--variant=minbase", packages, RELEASE, str(root)], 400)
        if done.returncode != 0:
            raise Unavailable(f"neither images nor Debian's packages are reached: {done.stdout[-300:]}")
        archive = self._folder / "base-image"
        archive.mkdir()
        subprocess.run(["tar", "-C", root, "--one-file-system", "-cf", archive / "base.tar", "."], check=True)
        shutil.rmtree(root)
        (archive / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        self.run("bud", *CHROOT, "--tag", BASE, str(archive), timeout=300)
        shutil.rmtree(archive)
        return BASE

    def build(self, base: str) -> None:
        """Build the image, with pip as it is set up here. Raises Unavailable where no packages are reached."""
        command = [
            *(*self.command, "bud", *CHROOT, "--format", "docker", "--build-arg", f"PYTHON={base}"),
            *(word for each in self._volumes_of_pip() for word in ("--volume", each)),
            *("--file", str(DEPLOY / "Containerfile"), "--tag", IMAGE, str(PROJECT)),
        ]
        done = ended(command, 900)
        if done.returncode != 0 and not packages_are_reached(self._folder):
            raise Unavailable(f"pip reaches no packages: {done.stderr[-300:]}")
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    def _volumes_of_pip(self) -> list[str]:
        """pip's configuration, its certificates and its folders of packages, at their own paths."""
        said = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
        options, volumes = {}, []
        # Those of the environment are listed first, and win over those of files.
        for line in reversed(said.splitlines()):
            name, _, value = line.partition("=")
            options[name.rpartition(".")[2]] = str(ast.literal_eval(value))
        for value in options.values():
            volumes += [f"{word}:{word}:ro" for word in value.split() if word.startswith("/") and Path(word).exists()]
        configuration = self._folder / "pip.conf"
        lines = (f"{name} = {value}\n" for name, value in options.items())
        configuration.write_text("[global]\n" + "".join(lines))
        return [*volumes, f"{configuration}:/etc/pip.conf:ro"]


class Container(Client):
    """One that was made of the image. Its programs run as the image's user, on a root that cannot be written to, with
    a /tmp of their own. They share the network of this machine, and listen at `port`.
    """

    def __init__(self, buildah: Buildah, folder: Path, replaced: Mapping[str, str]) -> None:
        self._buildah, self._folder, self._replaced = buildah, folder, replaced
        self._name = buildah.run("from", IMAGE).strip()
        self.root = Path(buildah.run("mount", self._name).strip())
        # What an engine has made before it makes the root read-only.
        for path in ("run/.containerenv", "etc/hosts", "etc/resolv.conf"):
            (self.root / path).touch()
        self.port = free_port()
        self.programs: list[Child] = []
        self._temporaries: dict[int, Path] = {}

    def run(self, program: Program, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        temporary = self._temporary()
        done = ended(self._command(program, temporary), timeout)
        return subprocess.CompletedProcess(program.command, told_in(temporary), done.stdout, done.stderr)

    def manage(self, environment: Mapping[str, str], *words: str) -> str:
        """What a command of manage.py says. Raises AssertionError where it fails."""
        done = self.run(Program("manage", ["python", "manage.py", *words], dict(environment)))
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def start(self, program: Program) -> Child:
        log = self._folder / f"{len(self.programs)} {program.name}.log"
        temporary = self._temporary()
        service = Service(program.name, self._command(program, temporary), log=log, death_signal=signal.SIGKILL)
        child = processes.start(service, os.environ, self._folder)
        self.programs.append(child)
        self._temporaries[child.pid] = temporary
        return child

    def stop(self, child: Child, patience: float) -> int:
        """SIGTERM to the program itself, as an engine sends it to the first process. Returns how it ended."""
        os.kill(first_program(child.pid), signal.SIGTERM)
        self.programs.remove(child)
        child.process.wait(patience)
        return told_in(self._temporaries[child.pid])

    def log(self, child: Child) -> str:
        return (child.service.log or Path(os.devnull)).read_text(errors="replace")

    def close(self) -> None:
        for child in self.programs:
            for pid in [*descendants(child.pid)][::-1]:
                os.kill(pid, signal.SIGKILL)
            child.kill()

    def _temporary(self) -> Path:
        """What a program finds as its /tmp."""
        folder = Path(tempfile.mkdtemp(prefix="tmp-", dir=self._folder))
        folder.chmod(0o1777)
        return folder

    def _command(self, program: Program, temporary: Path) -> list[str]:
        environment = {**program.environment, **self._replaced}
        return [
            *("unshare", "--mount", "--propagation", "private", "sh", "-c", READ_ONLY, str(self.root)),
            *(*self._buildah.command, "run", *CHROOT, "--volume", f"{temporary}:/tmp"),
            *(word for name, value in environment.items() for word in ("--env", f"{name}={value}")),
            *(self._name, "--", "sh", "-c", TELLING, "sh"),
            *(word.replace(LISTENS_AT, f":{self.port}") for word in program.command),
        ]


def told_in(temporary: Path) -> int:
    """How the program ended that had this /tmp. Raises FileNotFoundError where it was killed with all around it."""
    return int((temporary / TOLD).read_text())


def healthcheck() -> list[str]:
    """The command of HEALTHCHECK."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    (words,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", text, re.MULTILINE)
    command: list[str] = ast.literal_eval(words)
    return command


def first_program(pid: int) -> int:
    """The first process below `pid` that runs a program of the image. Waits for it."""
    return wait_until(lambda: [each for each in descendants(pid) if is_of_image(each)], timeout=60)[0]


def is_of_image(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].startswith(b"/opt/tidings/venv/bin/")


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, the nearer ones first."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = sorted(parents.get(waiting.pop(0), []))
        found += below
        waiting += below
    return found


def packages_are_reached(folder: Path) -> bool:
    """Whether pip gets the first package of requirements.txt here, outside the image."""
    (first,) = re.findall(r"\A(?:#.*\n)*([\w.-]+==[\w.]+)", (PROJECT / "requirements.txt").read_text())
    words = ("download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", str(folder / "probe"), first)
    return ended([sys.executable, "-m", "pip", *words], 120).returncode == 0


def ended(command: Sequence[str], timeout: float) -> "subprocess.CompletedProcess[str]":
    """Run it to its end. Raises Unavailable where it takes longer, and leaves nothing of it then."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Unavailable(f"{command[0]} takes longer than {timeout:.0f} seconds here") from error
    return subprocess.CompletedProcess(command, process.returncode, out, err)
