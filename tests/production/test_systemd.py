"""The units of deploy/systemd under systemd itself, with all that they may not do."""

import re
import sys

import pytest

from tests.deploy import reading
from tests.deploy.reading import ADDRESS, MAKE_ENV
from tests.production.image import Unavailable
from tests.production.machine import CODE, Machine
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

UNITS = ("tidings-web", "tidings-beat", "tidings-worker@1", "tidings-worker@2")
# As docs/deployment.md has it, without a terminal.
MANAGE = (
    *("systemd-run", "--pipe", "--wait", "--quiet", "--collect", "--uid=tidings", f"--working-directory={CODE}"),
    *("--property=EnvironmentFile=/etc/tidings/env", f"{CODE}/.venv/bin/python", "manage.py"),
)


@pytest.fixture
def tidings(install, postgres):
    postgres.create("under_systemd")
    tidings = install()
    tidings.run(f"{sys.executable} {MAKE_ENV} {ADDRESS} env")
    return tidings


@pytest.fixture
def machine(folder, tidings, postgres, redis):
    file = tidings.folder / "env"
    text = file.read_text()
    for name, url in {"DATABASE_URL": postgres.url("under_systemd"), "REDIS_URL": redis.url()}.items():
        text = text.replace(f"{name}={reading.assignments(text)[name]}", f"{name}={url}")
    file.unlink()
    tidings.seal()
    machine = None
    try:
        machine = Machine(folder, tidings.folder, f"{text}POSTBACK_ALLOWED_NETWORKS=127.0.0.0/8\n", tidings.port)
        machine.start()
        yield machine
    except Unavailable as reason:
        pytest.skip(f"Nothing runs under systemd here: {reason}.")
    finally:
        if machine:
            machine.close()


def test_they_serve_deliver_restart_and_stop(machine, tidings, receiver):
    machine.do("systemctl", "start", "tidings-migrate")
    machine.do("systemctl", "enable", "--now", "tidings.target", *UNITS)
    wait_until(tidings.web_answers, timeout=90)
    assert tidings.get("/readyz")[0] == 200
    key = machine.do(*MANAGE, "create_api_key", "Shop", "--scope", "storefront", "--scope", "manage")
    tidings.key = key.split()[-1]
    tidings.attach(receiver.url, "contact.created")
    tidings.contact(1)
    wait_until(lambda: receiver.types == ["contact.created"], timeout=90)

    # They have an ordinary user, no right of root, and a filter of system calls.
    for unit in UNITS:
        state = machine.do("cat", f"/proc/{machine.show(unit)['MainPID']}/status")
        (user,) = re.findall(r"^Uid:\s+(\d+)", state, re.MULTILINE)
        assert int(user) != 0
        assert re.search(r"^CapEff:\s+0+$", state, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\s+1$", state, re.MULTILINE)
        assert re.search(r"^Seccomp:\s+2$", state, re.MULTILINE)

    # One that dies is back, and delivers.
    machine.do("systemctl", "kill", "--signal=KILL", "tidings-worker@1", "tidings-worker@2")
    wait_until(lambda: machine.show("tidings-worker@1")["NRestarts"] == "1", timeout=60)
    wait_until(lambda: machine.show("tidings-worker@2")["NRestarts"] == "1", timeout=60)
    tidings.contact(2)
    wait_until(lambda: len({request.id for request in receiver.received}) == 2, timeout=120)

    machine.do("systemctl", "reload", "tidings-web")
    wait_until(tidings.web_answers, timeout=60)
    assert tidings.get("/readyz")[0] == 200
    machine.do("systemctl", "stop", "tidings.target", *UNITS)
    stopped = {unit: machine.show(unit) for unit in UNITS}
    assert {unit: (each["ActiveState"], each["Result"]) for unit, each in stopped.items()} == dict.fromkeys(
        UNITS, ("inactive", "success")
    ), machine.journal()[-5000:]
    said = machine.journal()
    refused = [line for line in said.splitlines() if re.search("not permitted|denied|Read-only|Traceback", line)]
    assert refused == []
