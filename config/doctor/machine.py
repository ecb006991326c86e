"""Looks at this machine: versions, installed packages, collected static files, room on the disk."""

import platform
import re
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage

from channels_app.text import some
from config.doctor.examination import Finding, fault, ok, unknown, warning

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
WARNING_BYTES = 1024**3
FAULT_BYTES = 100 * 1024**2
NAMED = 3


def look_at_versions() -> Sequence[Finding]:
    return [
        ok(
            f"Tidings {settings.VERSION}, Python {platform.python_version()}, Django {django.get_version()}, "
            f"{ssl.OPENSSL_VERSION}."
        )
    ]


def look_at_packages() -> Sequence[Finding]:
    """Whether what is installed is what this version was tested with."""
    pins = settings.BASE_DIR / "requirements.txt"
    if not pins.is_file():
        return [unknown("There is no requirements.txt beside the code to compare them with.")]
    others = [f"{name} {found} instead of {pinned}" for name, pinned, found in _others(pins.read_text())]
    if others:
        says = f"Installed are {some(others, NAMED)}."
        return [warning(says, "pip install -r requirements.txt, and restart web, workers and beat.")]
    return [ok("They are those of requirements.txt.")]


def _others(pins: str) -> Iterator[tuple[str, str, str]]:
    """Name, pinned and installed version where these differ. What is not installed may be for another system."""
    for name, pinned in _PINNED.findall(pins):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        if found != pinned:
            yield name, pinned, found


def look_at_static_files() -> Sequence[Finding]:
    """Whether all were collected; a page that names one that was not is answered 500."""
    collected: Mapping[str, str] | None = getattr(staticfiles_storage, "hashed_files", None)
    if settings.DEBUG or collected is None:
        return [ok("They are served as they are.")]
    missing = [path for finder in get_finders() for path, _ in finder.list([]) if path not in collected]
    if missing:
        says = f"{settings.STATIC_ROOT} lacks {some(missing, 1)}: pages that need one are answered 500."
        return [fault(says, "manage.py collectstatic --noinput, then restart the web process.")]
    return [ok(f"All are in {settings.STATIC_ROOT}.")]


def look_at_disk() -> Sequence[Finding]:
    """The room where large requests and answers are put for a moment and, where it is there, in DATA_DIR."""
    try:
        folders = [Path(tempfile.gettempdir())]
    except FileNotFoundError:
        says = "There is no temporary folder that can be written to: answers of more than 64 KiB break."
        return [fault(says, "Mount one at /tmp, or name one in TMPDIR.")]
    if settings.DATA_DIR.is_dir():
        folders.append(settings.DATA_DIR)
    return [_room_in(folder) for folder in folders]


def _room_in(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    says = f"{folder} has {_size(usage.free)} free of {_size(usage.total)}."
    if usage.free < FAULT_BYTES:
        return fault(says, "Make room there.")
    if usage.free < WARNING_BYTES and usage.free < usage.total / 10:
        return warning(says, "Make room there.")
    return ok(says)


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
