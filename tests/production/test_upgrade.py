"""From the version before to this one, while orders come in: no call fails, and everything is delivered."""

import re
import subprocess
import tarfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest

from tests.demo.local.launching import PROJECT
from tests.production.shop import Shop
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROGRAMS = ("gunicorn", "worker", "beat")


def version_before() -> str:
    """The commit of the last version, as the changelog names it."""
    versions = (PROJECT / "CHANGELOG.md").read_text().partition("\n## [Unreleased]")[2]
    commit = re.search(r"commit\s+`([0-9a-f]{40})`", versions)
    assert commit, "CHANGELOG.md names no commit of a version"
    return commit[1]


def copy_of_version_before(folder: Path) -> None:
    commit = version_before()
    done = subprocess.run(["git", "archive", commit], cwd=PROJECT, capture_output=True)
    if done.returncode:
        pytest.skip(f"git has no version before to give, {commit}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")


def test_nothing_is_lost_and_no_call_fails(install, postgres, redis, receiver):
    postgres.create("upgrade")
    servers = {"DATABASE_URL": postgres.url("upgrade"), "REDIS_URL": redis.url(3), "API_RATE_PER_MINUTE": "0"}
    before = install(copy=copy_of_version_before, **servers)
    before.prepare(pages=False)
    old = {name: before.start(name) for name in PROGRAMS}
    before.attach(receiver.url, "contact.created")
    shop = Shop(before)
    shop.start()
    shop.make_more()

    # The tables of this version, below the processes of the one before.
    now = install(**servers)
    now.key = before.key
    applied = now.manage("migrate")
    assert "No migrations to apply" not in applied
    shop.make_more()
    sent = len(receiver.received)
    wait_until(lambda: len(receiver.received) > sent, timeout=60)

    # One part after the other.
    now.start("worker")
    now.start("gunicorn")
    shop.tidings = now
    shop.make_more()
    before.stop()
    now.start("beat")
    assert not any(child.alive() for child in old.values())
    shop.make_more()
    shop.stop()

    assert shop.refusals == []
    wait_until(lambda: len(receiver.received) >= shop.made, timeout=60)
    arrived = Counter(request.event["data"]["contact"]["email"] for request in receiver.received)
    assert arrived == Counter(f"ada{number}@example.com" for number in range(shop.made))
    assert now.manage("check_delivery").startswith("Delivering: ")
    now.stop()
