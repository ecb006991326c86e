"""What a person sees while the first `make run` installs, with a real pip that needs no network."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.demo.local.launching import PROJECT


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a virtual environment that the first test makes."""
    return tmp_path_factory.mktemp("environment") / ".venv"


def wheel(folder: Path, name: str) -> str:
    """The path of an installable package with nothing in it."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return str(path)


def install(environment: Path, requirements: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-m", "demo.local.install", str(environment), str(requirements)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )


def test_it_says_what_it_does_and_has_it_installed(environment: Path, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"# Two packages.\n{wheel(tmp_path, 'first')}\n\n{wheel(tmp_path, 'second')}\n")
    answer = install(environment, requirements)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines() == [
        f"Making {environment} ...",
        f"Installing 2 packages of {requirements}: a minute or two where none is there yet.",
        "  all are here; now they are unpacked ...",
    ]
    subprocess.run([environment / "bin" / "python", "-m", "pip", "show", "-q", "first", "second"], check=True)


def test_a_failure_is_told_with_what_pip_said(environment: Path, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{tmp_path}/missing-1.0-py3-none-any.whl\n")
    answer = install(environment, requirements)
    assert answer.returncode != 0
    assert "missing-1.0-py3-none-any.whl" in answer.stderr
    assert answer.stderr.endswith(f"pip could not install {requirements}; what it said stands above.\n")


def test_an_old_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from demo.local import install; install.OLDEST_PYTHON = (99, 1); "
        f"sys.exit(install.main(pathlib.Path({str(tmp_path / 'venv')!r}), pathlib.Path('requirements.txt')))"
    )
    answer = subprocess.run([sys.executable, "-S", "-c", script], cwd=PROJECT, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr.startswith("Tidings needs Python 99.1 or newer; this is 3.")
    assert not (tmp_path / "venv").exists()
