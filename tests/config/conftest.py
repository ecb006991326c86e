from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from api.keys import create_key
from tests.config.serving import Server, serving
from tests.programs import environment_of_programs


@pytest.fixture(scope="module")
def running(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    """One for all tests of a file: a start takes seconds."""
    with (
        environment_of_programs(django_db_blocker, "the server of a file") as environment,
        serving(environment) as server,
    ):
        yield server


@pytest.fixture
def server(running: Server, transactional_db: None) -> Server:
    return running


@pytest.fixture
def key(transactional_db: None) -> dict[str, str]:
    """The headers of somebody who may call the API."""
    key = create_key(name="Tests", scopes=["storefront", "manage"])[1]
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
