"""A stopped PostgreSQL cluster whose database is migrated: made once for a state of the migrations, copied by each run.

A copy takes a fraction of a second, a cluster and its migrations several seconds of each process of a parallel run.
It lies in pytest's own cache folder; whoever removes it has it made again.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from demo.local import processes
from demo.local.servers import Postgres, socket_folder
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
_KEPT = ROOT / ".pytest_cache" / "clusters"
UNUSED_SECONDS = 24 * 60 * 60
# The cluster is thrown away: nothing in it has to survive a crash of the machine.
NOTHING_IS_KEPT = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def copy_cluster(data: Path) -> None:
    """Fill the folder `data`, which must not exist yet, with a cluster whose database has today's tables."""
    copy_owned(make_cluster(), data)


def make_cluster() -> Path:
    """The folder of the kept cluster. Nothing may run on it."""
    kept = _KEPT / _state()
    if kept.exists():
        os.utime(kept)
        return kept
    with tempfile.TemporaryDirectory(prefix="tidings-cluster-", ignore_cleanup_errors=True) as name:
        made = _migrated(Path(name))
        _KEPT.mkdir(parents=True, exist_ok=True)
        _remove_unused()
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        copy_owned(made, unfinished)
    try:
        unfinished.rename(kept)
    except OSError:  # another run was quicker
        shutil.rmtree(unfinished, ignore_errors=True)
    return kept


def _remove_unused() -> None:
    """Another run, of another Python or before a change, may be copying one that was used lately."""
    for path in _KEPT.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def copy_owned(source: Path, target: Path) -> None:
    """A copy whose files belong to the same user: PostgreSQL insists on that, and may run as another than root."""
    shutil.copytree(source, target, symlinks=True)
    owner = source.stat().st_uid
    if owner != target.stat().st_uid:
        for path in (target, *target.rglob("*")):
            os.chown(path, owner, -1, follow_symlinks=False)


def _migrated(folder: Path) -> Path:
    folder.chmod(0o711)  # for an account that is not root's
    data, sockets = folder / "postgres", socket_folder()
    server = Postgres(data, sockets, folder / "postgres.log", NOTHING_IS_KEPT)
    service = server.service()
    child = processes.start(service, os.environ, folder=Path("/"))
    try:
        wait_until(server.ready, timeout=60)
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": server.url, "REDIS_URL": "redis://127.0.0.1:1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            pytest.exit(f"The migrations fail:\n{done.stdout}\n{done.stderr}", returncode=3)
    finally:
        processes.stop([child])
        shutil.rmtree(sockets, ignore_errors=True)
    return data


def _state() -> str:
    """A name for all that the cluster depends on. What a migration leaves to the models is made by each run itself."""
    files = [
        *ROOT.glob("[!.]*/**/migrations/*.py"),
        ROOT / "requirements.txt",
        ROOT / "demo/local/servers.py",
        ROOT / "config/settings.py",
    ]
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]
