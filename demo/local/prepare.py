"""Makes database and static files ready, in one process: starting Django costs more than the work itself.

Prints the demo login as `name password` on stdout when there is such a user; all else goes to stderr.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError


def main() -> None:
    """Migrate, collect static files and load demo data. Raises `OperationalError` without a database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    collect_static_files()
    if settings.DEMO:
        call_command("load_demo", stdout=sys.stderr)
        print_demo_login()


def collect_static_files() -> None:
    """Collects when a source has changed since the last time. One launcher at a time; the folder is shared."""
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".collected").open("a+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.seek(0)
        sources = _fingerprint()
        if mark.read() != sources:
            call_command("collectstatic", interactive=False, clear=False, verbosity=0)
            mark.seek(0)
            mark.truncate()
            mark.write(sources)


def print_demo_login() -> None:
    """Print name and password on one line, where the demo's user exists."""
    from django.contrib.auth import get_user_model

    from backoffice.accounts.demo_login import DEMO_LOGIN

    username, password = DEMO_LOGIN
    if get_user_model().objects.filter(username=username).exists():
        print(username, password)


def _fingerprint() -> str:
    """Names, sizes and times of all sources: reading and hashing the files themselves takes seconds."""
    return hashlib.sha256("\n".join(sorted(_sources())).encode()).hexdigest()


def _sources() -> Iterator[str]:
    from django.contrib.staticfiles.finders import get_finders

    yield settings.STORAGES["staticfiles"]["BACKEND"]
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            yield f"{path} {storage.path(path)} {status.st_size} {status.st_mtime_ns}"


if __name__ == "__main__":
    try:
        main()
    except (ImproperlyConfigured, OperationalError) as problem:
        sys.exit(f"{problem}")  # the person's own settings or database: a sentence, no traceback
