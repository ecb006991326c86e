"""A Redis behind TLS with a password: Celery, the cache and the doorbell check whom they tell it to."""

import pytest
import trustme

from tests.production.programs import ENCODED_PASSWORD, Redis, give_away
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# What each of the three that speak to Redis says, a line each.
ASK = """
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from notifications import doorbell, monitoring
from notifications.redis_client import redis_client

def broker():
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)

for name, ask in (
    ("cache", lambda: cache.set("a", 1, 60)),
    ("doorbell", lambda: redis_client(doorbell.TIMEOUT_SECONDS).set(doorbell.FLAG, 1, ex=5)),
    ("broker", broker),
):
    try:
        ask()
        print(name, "well")
    except Exception as error:
        print(name, "refuses" if "CERTIFICATE_VERIFY_FAILED" in str(error) else error)
print("monitoring", monitoring._broker_answers())
"""


@pytest.fixture
def authority(folder):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return authority


@pytest.fixture
def secure(folder, authority):
    """A Redis that speaks TLS only, with a certificate for localhost."""
    certificate, key = folder / "redis.pem", folder / "redis.key"
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    give_away(certificate, key)
    server = Redis(
        folder,
        *("--port", "0", "--tls-auth-clients", "no", "--tls-cert-file", str(certificate)),
        *("--tls-key-file", str(key), "--tls-port"),
    )
    server._settings = (*server._settings, str(server.port))
    yield server.start()
    server.kill()


def asked(tidings, url: str, **settings: str) -> list[str]:
    script = tidings.folder.parent / "ask.py"
    script.write_text(ASK)
    said: str = tidings.run(f".venv/bin/python manage.py shell --no-imports < {script}", REDIS_URL=url, **settings)
    return said.split("\n")[:4]


def test_all_three_check_the_certificate(install, postgres, prepared, secure, folder, receiver):
    postgres.create("secure", template=prepared.database)
    url = f"rediss://:{ENCODED_PASSWORD}@localhost:{secure.port}/3"
    bundle = str(folder / "authority.pem")
    tidings = install(DATABASE_URL=postgres.url("secure"), REDIS_URL=url, EXTRA_CA_BUNDLE=bundle)
    well = ["cache well", "doorbell well", "broker well", "monitoring True"]
    refused = ["cache refuses", "doorbell refuses", "broker refuses", "monitoring False"]
    wait_until(lambda: asked(tidings, url) == well, timeout=60)
    assert asked(tidings, f"{url}?ssl_ca_certs={bundle}", EXTRA_CA_BUNDLE="") == well
    assert asked(tidings, f"{url}?ssl_cert_reqs=none", EXTRA_CA_BUNDLE="") == well
    assert asked(tidings, url, EXTRA_CA_BUNDLE="") == refused
    # The certificate is for another name.
    assert asked(tidings, url.replace("localhost", "127.0.0.1")) == refused

    tidings.key = prepared.key
    for name in ("gunicorn", "worker", "beat"):
        tidings.start(name)
    tidings.attach(receiver.url, "contact.created")
    tidings.contact(1)
    wait_until(lambda: receiver.types == ["contact.created"], timeout=60)
    with postgres.connect("secure") as connection:
        beaten = "SELECT count(*) FROM notifications_heartbeat WHERE name IN ('beat', 'worker')"
        wait_until(lambda: connection.execute(beaten).fetchone() == (2,), timeout=60)
    tidings.stop()
