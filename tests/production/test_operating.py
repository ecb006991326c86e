"""The commands of docs/operating.md: two roles in the database, and a backup that is brought back."""

import re
import shutil

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from tests.demo.local.launching import PROJECT
from tests.production.conftest import folder_for_all
from tests.production.programs import PostgreSQL, program
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAMS = ("gunicorn", "worker", "beat")
COUNTED = ("notifications_event", "notifications_delivery", "notifications_deliveryattempt", "orders_contact")


def commands(heading: str) -> list[str]:
    """The blocks of commands below a heading."""
    page = (PROJECT / "docs" / "operating.md").read_text()
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```\w*\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def counts(server: PostgreSQL, database: str) -> dict[str, int]:
    with server.connect(database) as connection:
        rows = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in COUNTED}
    return {name: row[0] for name, row in rows.items() if row}


def test_programs_need_no_right_to_change_tables(install, postgres, redis, receiver):
    (block,) = commands("Rights in the database")
    before, _, after = block.replace("DATABASE tidings", "DATABASE rights").partition("\\c tidings\n")
    for database, statements in {"postgres": before, "rights": after}.items():
        with postgres.connect(database) as connection:
            for statement in filter(str.strip, statements.replace("ROLE tidings LOGIN", "ROLE shop LOGIN").split(";")):
                connection.execute(re.sub(r"\bTO tidings$", "TO shop", statement.strip()))
    urls = {
        role: f"postgres://{role}:{password}@{postgres.host}:{postgres.port}/rights"
        for role, password in {"tidings_owner": "one", "shop": "another"}.items()
    }
    owner = install(DATABASE_URL=urls["tidings_owner"], REDIS_URL=redis.url(4))
    owner.prepare()
    tidings = install(DATABASE_URL=urls["shop"], REDIS_URL=redis.url(4))
    tidings.key = owner.key
    for name in PROGRAMS:
        tidings.start(name)
    tidings.attach(receiver.url, "contact.created", "order.completed")
    tidings.buy()

    wait_until(lambda: sorted(receiver.types) == ["contact.created", "order.completed"], timeout=60)
    assert tidings.get("/readyz")[0] == 200
    tidings.manage("reencrypt_secrets")
    tidings.stop()
    refused = tidings.try_to(".venv/bin/python manage.py migrate orders zero")
    assert (refused.returncode, "must be owner" in refused.stderr) == (1, True)


def test_a_lost_database_is_brought_back_with_its_keys(install, redis, receiver):
    (backup, restore) = commands("Backup and restore")
    lost, kept = folder_for_all(), folder_for_all()
    server = other = None
    try:
        server = PostgreSQL(lost).start()
        server.create("tidings")
        tidings = install(DATABASE_URL=server.url(), REDIS_URL=redis.url(5))
        tidings.prepare(pages=False)
        for name in PROGRAMS:
            tidings.start(name)
        secret = tidings.attach(receiver.url, "contact.created")
        tidings.contact(1)
        wait_until(lambda: len(receiver.received) == 1, timeout=60)
        tidings.stop()
        # The last one is still to be sent when the backup is made.
        web = tidings.start("gunicorn")
        tidings.contact(2)
        bins = str(program("initdb")).rpartition("/")[0]
        path = {"PATH": f"{bins}:/usr/bin:/bin"}
        tidings.run(backup, **path)
        before = counts(server, "tidings")
        web.kill()
        tidings.forget(web)
        server.kill()
        shutil.rmtree(lost)

        other = PostgreSQL(kept).start()
        other.create("tidings")
        redis.client(5).flushdb()
        restored = install(DATABASE_URL=other.url(), REDIS_URL=redis.url(5))
        restored.key = tidings.key
        shutil.move(tidings.folder / "tidings.dump", restored.folder)
        said = restored.run(restore, **path)
        assert counts(other, "tidings") == before
        without = restored.try_to(
            ".venv/bin/python manage.py reencrypt_secrets --dry-run",
            SECRETS_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
        )
        for name in PROGRAMS:
            restored.start(name)
        wait_until(lambda: len(receiver.received) == 2, timeout=60)
        restored.contact(3)
        wait_until(lambda: len(receiver.received) == 3, timeout=60)
        restored.stop()
    finally:
        for each in (server, other):
            if each is not None:
                each.kill()
        for folder in (lost, kept):
            shutil.rmtree(folder, ignore_errors=True)

    for request in receiver.received:
        Webhook(secret).verify(request.body, request.headers)
    emails = [request.event["data"]["contact"]["email"] for request in receiver.received]
    assert emails == [f"ada{number}@example.com" for number in (1, 2, 3)]
    assert "Warehouse" not in said
    assert without.returncode != 0 and "Warehouse" in without.stdout + without.stderr, without
