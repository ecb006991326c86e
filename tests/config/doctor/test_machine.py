"""What the doctor says of this machine."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import django
import pytest
from django.core.management import call_command
from pytest_django import Settings

from tests.config.doctor.looking import look

MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"


def test_versions_are_told() -> None:
    ((status, says, _),) = look("versions")
    assert status == "ok"
    assert f"Django {django.get_version()}" in says


def test_packages_that_are_not_those_pinned_are_a_warning(settings: Settings, tmp_path: Path) -> None:
    assert look("packages") == [("ok", "They are those of requirements.txt.", "")]
    settings.BASE_DIR = tmp_path
    assert look("packages")[0][0] == "unknown"
    pins = 'django==1.0 \\\n    --hash=sha256:0\nnobody-has-it==1 ; sys_platform == "win32"\nredis[hiredis]==1.0\n'
    (tmp_path / "requirements.txt").write_text(pins)
    ((status, says, do),) = look("packages")
    found = f"django {version('django')} instead of 1.0, redis {version('redis')} instead of 1.0"
    assert (status, says) == ("warning", f"Installed are {found}.")
    assert do.startswith("pip install -r requirements.txt")


@pytest.mark.slow
def test_static_files_that_were_not_collected_are_a_fault(settings: Settings, tmp_path: Path) -> None:
    assert look("static files") == [("ok", "They are served as they are.", "")]
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": MANIFEST}}
    ((status, says, do),) = look("static files")
    assert status == "fault"
    assert says.startswith(f"{tmp_path} lacks ")
    assert do == "manage.py collectstatic --noinput, then restart the web process."
    call_command("collectstatic", interactive=False, verbosity=0)
    settings.STORAGES = {**settings.STORAGES}  # reads what was collected anew
    assert look("static files") == [("ok", f"All are in {tmp_path}.", "")]


@pytest.mark.parametrize(
    ("free", "total", "status"),
    [
        (50 << 20, 100 << 30, "fault"),
        (500 << 20, 100 << 30, "warning"),
        (900 << 20, 1 << 30, "ok"),
        (9 << 30, 9 << 30, "ok"),
    ],
)
def test_a_disk_that_is_nearly_full_is_told(
    free: int, total: int, status: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    usage = SimpleNamespace(total=total, used=total - free, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    assert [found for found, _, _ in look("disk")] == [status, status]
    settings.DATA_DIR = tmp_path / "not there"
    assert len(look("disk")) == 1


def test_no_folder_to_write_to_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    ((status, _, do),) = look("disk")
    assert (status, do) == ("fault", "Mount one at /tmp, or name one in TMPDIR.")
