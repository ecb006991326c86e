from typing import Any

import pytest

from api.keys import create_key
from tests.calling import Caller

CONTENT_TYPE = "application/problem+json"


@pytest.fixture
def throwaway(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.api.throwaway"


@pytest.fixture
def call(throwaway: None, db: None) -> Caller:
    """A caller whose key has both scopes."""
    return Caller(create_key(name="Tests", scopes=["storefront", "manage"])[1])


@pytest.fixture
def stranger(throwaway: None) -> Caller:
    """A caller without a key."""
    return Caller()
