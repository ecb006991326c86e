"""Whoever mistypes DATABASE_URL reads the cause in the last line, and no password."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.demo.local.launching import free_port
from tests.production.installation import last_line, readme_command
from tests.production.programs import ENCODED_PASSWORD, PASSWORD
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WRONG_PASSWORD = "qzxA7wvkB9"
CHECK = ".venv/bin/python manage.py check_delivery"
CAUSES = {
    "password": 'password authentication failed for user "tidings"',
    "name": 'database "nosuch" does not exist',
    "port": "Connection refused",
    "host": "failed to resolve host 'no.such.host.invalid'",
}


@pytest.fixture
def urls(postgres):
    right = postgres.url("postgres")
    return {
        "password": postgres.url("postgres", password=WRONG_PASSWORD),
        "name": postgres.url("nosuch"),
        "port": postgres.url("postgres", port=free_port()),
        "host": right.replace(postgres.host, "no.such.host.invalid"),
    }


def test_commands_say_the_cause_last(install, redis, urls):
    tidings = install(REDIS_URL=redis.url())
    asked = [*((readme_command("migrate"), wrong) for wrong in urls), (CHECK, "password"), (CHECK, "host")]
    with ThreadPoolExecutor(len(asked)) as threads:
        answers = list(threads.map(lambda each: tidings.try_to(each[0], DATABASE_URL=urls[each[1]]), asked))
    for (command, wrong), answer in zip(asked, answers, strict=True):
        said = last_line(answer)
        assert answer.returncode != 0, command
        assert "DATABASE_URL" in said and CAUSES[wrong] in said, (command, wrong, said)
        told = answer.stdout + answer.stderr
        assert not any(password in told for password in (WRONG_PASSWORD, PASSWORD, ENCODED_PASSWORD))


def test_a_worker_says_the_cause(install, redis, urls):
    tidings = install(REDIS_URL=redis.url(), DATABASE_URL=urls["password"])
    worker = tidings.start("worker")
    wait_until(lambda: CAUSES["password"].replace('"', '\\"') in tidings.log(worker), timeout=60)
    assert not any(password in tidings.log(worker) for password in (WRONG_PASSWORD, PASSWORD, ENCODED_PASSWORD))
    assert worker.alive()
