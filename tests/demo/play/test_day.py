"""A day of a shop and two funnels, as the rules tell it and as the receivers see it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path

import pytest

from api.keys import create_key
from demo.local import processes, programs
from demo.local.processes import Service
from orders.models import Funnel, Product, Survey
from tests.demo.local.launching import free_port
from tests.demo.play.day import Day, Plan, read_catalogue
from tests.demo.play.player import Api
from tests.demo.play.reading import EVENT_TYPES
from tests.demo.play.state import Catalogue
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[3]
COMPLETION_SECONDS = 3
PERSONS = 36
PRODUCTS = [
    ("mug", "Mug", "physical", "12.50", None),
    ("poster", "Poster", "physical", "7.00", None),
    ("gift", "Gift", "physical", "0.00", None),
    ("book", "E-book", "digital", "9.99", None),
    ("course", "Course", "digital", "199.00", None),
    ("club", "Club", "subscription", "19.00", "month"),
    ("magazine", "Magazine", "subscription", "3.50", "week"),
]
FUNNELS = ["spring", "autumn"]
SURVEYS = {"welcome": "How did you hear of us?", "after": "How was it?"}


@pytest.fixture
def tidings(subprocess_environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The URL of web, worker and beat, which work on the test database as `make run` starts them."""
    port = free_port()
    environment = {
        **subprocess_environment,
        "DATA_DIR": str(tmp_path),
        "POSTBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "POSTBACK_RETRY_DELAYS_SECONDS": "0.2,0.2,0.2",
        "FUNNEL_COMPLETION_SECONDS": str(COMPLETION_SECONDS),
    }
    log = tmp_path / "tidings.log"
    services = [programs.web(port), programs.worker(1, port, 5), programs.beat()]
    children = [processes.start(_logged(service, log), environment, ROOT) for service in services]
    try:
        wait_until(lambda: _answers(port) or not children[0].alive(), timeout=60, interval=0.1)
        assert children[0].alive(), log.read_text()[-5000:]
        yield f"http://127.0.0.1:{port}"
        died = [child.service.name for child in children if not child.alive()]
        assert died == [], log.read_text()[-5000:]
    finally:
        killed = processes.stop(children)
    assert killed == []


@pytest.fixture
def catalogue_of(db: None) -> Callable[[Api], Catalogue]:
    """Fills the catalogue, and reads it back as a shop does."""
    for sku, title, kind, price, interval in PRODUCTS:
        Product.objects.create(sku=sku, title=title, kind=kind, unit_price=Decimal(price), interval=interval)
    for slug in FUNNELS:
        Funnel.objects.create(name=slug.title(), slug=slug)
    for slug, title in SURVEYS.items():
        Survey.objects.create(slug=slug, title=title)
    return lambda api: read_catalogue(api, FUNNELS, SURVEYS)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_answer_and_every_postback_of_a_day_is_what_the_rules_say(seed, tidings, catalogue_of):
    api = Api(tidings, create_key(name="Play", scopes=["storefront", "manage"])[1])
    plan = Plan(seed=seed, persons=PERSONS, run=f"seed{seed}", completion_seconds=COMPLETION_SECONDS)
    day = Day(api, plan, catalogue_of(api))
    assert {sku for sku, *_ in PRODUCTS} == set(day.catalogue.products)
    day.play()
    print(f"{day.calls} calls, {len(day.expected)} events, {day.postbacks} postbacks")
    assert {event.type for event in day.expected} == set(EVENT_TYPES)


def _logged(service: Service, log: Path) -> Service:
    return replace(service, log=log)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
