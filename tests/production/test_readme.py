"""The README's commands for production, in an empty folder, on servers that are not ours."""

import os

import pytest

from tests.production.installation import readme_commands
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PROGRAMS = ("gunicorn", "worker", "beat")


def test_the_commands_are_those_that_this_test_knows():
    known = ("venv", "export", "migrate", "collectstatic", "createsuperuser", "config.wsgi", "worker", "beat")
    assert [
        [word for word in known if word in command.replace("python3 -m ", "").split()] for command in readme_commands()
    ] == [[word] for word in known]


def test_an_order_reaches_its_receiver(install, postgres, redis, receiver):
    postgres.create("walk")
    tidings = install(DATABASE_URL=postgres.url("walk"), REDIS_URL=redis.url())
    tidings.prepare()
    made = {path.name for path in tidings.folder.iterdir()}
    tidings.seal()
    for name in PROGRAMS:
        tidings.start(name)
    tidings.attach(receiver.url, "contact.created", "order.completed")
    tidings.buy()
    wait_until(lambda: sorted(receiver.types) == ["contact.created", "order.completed"], timeout=60)

    # Beat, broker and worker have worked together, and nothing else is amiss.
    with postgres.connect("walk") as connection:
        beaten = "SELECT count(*) FROM notifications_heartbeat WHERE name IN ('beat', 'worker')"
        wait_until(lambda: connection.execute(beaten).fetchone() == (2,), timeout=60)
    assert tidings.manage("check_delivery").startswith("Delivering: ")
    status, page = tidings.get("/admin/login/")
    assert status == 200
    style = page.partition('<link href="')[2].partition('"')[0]
    assert (style.startswith("/static/"), tidings.get(style)[0]) == (True, 200)
    tidings.stop()
    # Nothing but the static files was made, and by whoever ran the commands.
    assert {path.name for path in tidings.folder.iterdir()} == made
    assert "staticfiles" in made and ".data" not in made
    assert os.geteuid() != 0 or (tidings.folder / "staticfiles").stat().st_uid == 0
