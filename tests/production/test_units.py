"""The units of deploy/systemd: their commands, run as they stand with their environment file, by an ordinary user."""

import os
import shlex
import signal
import socket
import sys
import threading

import pytest

from tests.deploy import reading
from tests.deploy.reading import ADDRESS, MAKE_ENV
from tests.production.image import descendants
from tests.production.programs import give_away
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PATIENCE_SECONDS = 90


@pytest.fixture
def units(install, postgres, redis):
    """A clone where the units expect one, whose programs have the environment of the units and nothing else."""
    postgres.create("units")
    tidings = install()
    tidings.run(f"{sys.executable} {MAKE_ENV} {ADDRESS} env")
    file = tidings.folder / "env"
    text = file.read_text()
    for name, url in {"DATABASE_URL": postgres.url("units"), "REDIS_URL": redis.url()}.items():
        text = text.replace(f"{name}={reading.assignments(text)[name]}", f"{name}={url}")
    assert file.stat().st_mode & 0o777 == 0o600
    state = tidings.folder.parent / "state"
    state.mkdir(mode=0o700)
    give_away(state)
    tidings.run(".venv/bin/python manage.py collectstatic --noinput", **reading.assignments(text))
    inherited = {name: os.environ[name] for name in ("PATH",)}
    tidings.environment = {
        **inherited,
        "DATA_DIR": str(state),
        "PYTHONDONTWRITEBYTECODE": "1",
        "POSTBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
        **reading.assignments(text),
    }
    file.unlink()
    tidings.seal()
    return tidings


def command(tidings, name: str) -> str:
    """ExecStart of a unit, at the clone's place and port."""
    (program,) = (each for each in reading.programs_of_systemd() if each.name == name)
    words = shlex.join(program.command).replace("/opt/tidings", str(tidings.folder))
    return f"exec {words.replace('127.0.0.1:8000', f'127.0.0.1:{tidings.port}')}"


def processes_below(child) -> set[int]:
    """The processes of gunicorn that serve, below its master."""
    return set(descendants(child.pid))


def test_they_serve_deliver_and_stop_in_order(units, receiver, folder, postgres):
    made = {path.name for path in units.folder.iterdir()}
    units.run(command(units, "migrate"))
    units.key = units.manage('create_api_key "Shop" --scope storefront --scope manage').split()[-1]

    # Type=notify: systemd waits for gunicorn to say that it is ready.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        path = folder / "notify"
        notified.bind(str(path))
        give_away(path)
        notified.settimeout(60)
        units.environment["NOTIFY_SOCKET"] = str(path)
        programs = {"web": units.begin(command(units, "web"))}
        assert b"READY=1" in notified.recv(4096).splitlines()
        del units.environment["NOTIFY_SOCKET"]
    wait_until(units.web_answers, timeout=60)
    for name in ("worker", "beat"):
        programs[name] = units.begin(command(units, name))
    assert units.get("/readyz")[0] == 200
    units.attach(receiver.url, "contact.created")
    units.contact(1)
    wait_until(lambda: receiver.types == ["contact.created"], timeout=60)

    # ExecReload: new processes take the place of the old ones, and no call is refused meanwhile.
    old = processes_below(programs["web"])
    programs["web"].process.send_signal(signal.SIGHUP)
    wait_until(lambda: units.get("/healthz")[0] == 200 and not old & processes_below(programs["web"]), timeout=60)
    assert processes_below(programs["web"])

    # One more is in flight when the worker is told to stop: it ends recorded.
    taken, answer = threading.Event(), threading.Event()

    def hold(request) -> int:
        taken.set()
        answer.wait(30)
        return 200

    receiver.answer = hold
    units.contact(2)
    assert taken.wait(60)
    programs["worker"].process.send_signal(signal.SIGTERM)
    answer.set()
    for name in ("worker", "beat", "web"):
        if name != "worker":
            programs[name].process.send_signal(signal.SIGTERM)
        assert programs[name].process.wait(PATIENCE_SECONDS) == 0, units.log(programs[name])[-3000:]
        assert "Traceback" not in units.log(programs[name])
        units.forget(programs[name])
    with postgres.connect("units") as connection:
        statuses = "SELECT status FROM notifications_delivery"
        assert connection.execute(statuses).fetchall() == [("succeeded",), ("succeeded",)]
    # Nothing was written beside what the installation made.
    assert {path.name for path in units.folder.iterdir()} == made
