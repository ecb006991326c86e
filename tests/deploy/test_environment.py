"""What the files of deploy/ give each program as its environment: Tidings takes it, and has nothing to warn of."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.environment import NAMES
from tests.demo.local.launching import PROJECT
from tests.deploy import reading
from tests.deploy.reading import ADDRESS, MAKE_ENV, Program

WAYS = {
    "containers": reading.programs_of_compose,
    "systemd": reading.programs_of_systemd,
    "kubernetes": reading.programs_of_kubernetes,
}
# Who does the work, by a word of the command.
WORDS = {"web": "gunicorn", "worker": "worker", "beat": "beat", "migrate": "migrate"}
OF_OTHERS = {"POSTGRES_PASSWORD", "VALKEY_PASSWORD", "DATA_DIR", "PYTHONDONTWRITEBYTECODE", "POD_IP", "PUBLIC_HOST"}


def manage(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.parametrize("way", WAYS)
def test_each_way_has_every_program(way: str) -> None:
    programs = WAYS[way]()
    for name, word in WORDS.items():
        assert any(name == each.name and word in " ".join(each.command).split("/")[-1] for each in programs), name


@pytest.mark.parametrize("way", WAYS)
def test_no_variable_is_one_that_nobody_reads(way: str) -> None:
    for each in WAYS[way]():
        assert set(each.environment) <= {*NAMES, *OF_OTHERS}, each.name


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_the_check_of_a_deployment_has_nothing_to_say(way: str) -> None:
    def answer(program: Program) -> str:
        # Nobody listens at port 1, so that a check that asks the database goes on at once.
        settings = {**program.environment, "DATABASE_URL": "postgres://tidings:none@127.0.0.1:1/none"}
        done = manage(settings, "check", "--deploy", "--fail-level", "WARNING")
        assert done.returncode == 0, f"{way}, {program.name}: {done.stderr}"
        return done.stdout.strip()

    different = {tuple(sorted(each.environment.items())): each for each in WAYS[way]()}
    with ThreadPoolExecutor(2) as threads:
        said = set(threads.map(answer, different.values()))
    assert said == {"System check identified no issues (3 silenced)."}


@pytest.mark.slow
def test_the_check_speaks_up_where_something_is_amiss() -> None:
    environment = {**reading.new_environment(), "DATABASE_URL": "postgres://tidings:none@127.0.0.1:1/none"}
    done = manage({**environment, "TRUSTED_PROXY_COUNT": "0"}, "check", "--deploy", "--fail-level", "WARNING")
    assert (done.returncode, "config.W002" in done.stderr) == (1, True)


@pytest.mark.parametrize("way", WAYS)
def test_the_servers_have_the_passwords_that_the_programs_use(way: str) -> None:
    file = reading.new_environment()
    hosts = {"containers": ("postgres", "valkey")}.get(way, ("127.0.0.1", "127.0.0.1"))
    for each in WAYS[way]():
        password, secret = file["POSTGRES_PASSWORD"], file["VALKEY_PASSWORD"]
        assert each.environment["DATABASE_URL"] == f"postgres://tidings:{password}@{hosts[0]}:5432/tidings"
        assert each.environment["REDIS_URL"] == f"redis://:{secret}@{hosts[1]}:6379/0"
    if way == "containers":
        services = reading.compose(file)["services"]
        assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == file["POSTGRES_PASSWORD"]
        assert services["valkey"]["environment"]["VALKEY_PASSWORD"] == file["VALKEY_PASSWORD"]


# make_env.py


def make_env(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, MAKE_ENV, *words], capture_output=True, text=True)


def test_a_file_has_keys_of_its_own_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        assert make_env("https://tidings.shop.test/", str(file)).returncode == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    one, two = (reading.assignments(file.read_text()) for file in files)
    assert one["PUBLIC_URL"] == "https://tidings.shop.test"
    assert one["EMAIL_FROM"] == "Tidings <tidings@tidings.shop.test>"
    assert all(one.values())
    secret = {"SECRET_KEY", "SECRETS_ENCRYPTION_KEYS", "POSTGRES_PASSWORD", "VALKEY_PASSWORD", "METRICS_TOKEN"}
    assert {name for name in one if one[name] != two[name]} == {*secret, "DATABASE_URL", "REDIS_URL"}


def test_no_file_is_written_over(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("SECRETS_ENCRYPTION_KEYS=the only copy\n")
    done = make_env(ADDRESS, str(file))
    assert (done.returncode, "exists" in done.stderr) == (1, True)
    assert file.read_text() == "SECRETS_ENCRYPTION_KEYS=the only copy\n"


@pytest.mark.parametrize("address", ["http://tidings.shop.test", "tidings.shop.test", "https://"])
def test_an_address_that_is_none_of_https_makes_no_file(tmp_path: Path, address: str) -> None:
    done = make_env(address, str(tmp_path / "env"))
    assert (done.returncode, address in done.stderr) == (1, True)
    assert not (tmp_path / "env").exists()
