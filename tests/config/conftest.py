import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from api.keys import create_key
from tests.config.serving import Server, serving


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[Server]:
    """One for all tests of a file: a start takes seconds."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    with serving({"DATABASE_URL": urlunsplit(url)}) as server:
        yield server


@pytest.fixture
def server(running: Server, transactional_db: None) -> Server:
    return running


@pytest.fixture
def key(transactional_db: None) -> dict[str, str]:
    """The headers of somebody who may call the API."""
    key = create_key(name="Tests", scopes=["storefront", "manage"])[1]
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
