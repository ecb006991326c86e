"""Version 1 as it is mounted: who may call what. What the calls do is tested with each room."""

import re

import pytest
from django.test import Client

from api.keys import create_key
from api.v1 import v1
from tests.api.problems import assert_problem

STOREFRONT = tuple(f"/api/v1/{name}" for name in ("contacts", "orders", "products", "subscriptions", "surveys"))


def operations() -> list[tuple[str, str]]:
    """Every operation as method and path, with a made-up word for each parameter."""
    paths = v1.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    return [(method.upper(), re.sub(r"{\w+}", "x", path)) for path, methods in paths.items() for method in methods]


def scopes_of(path: str) -> tuple[str, str]:
    """The scope that a path needs, and the other one."""
    return ("storefront", "manage") if path.startswith(STOREFRONT) else ("manage", "storefront")


@pytest.mark.django_db
def test_every_operation_asks_for_its_scope(client: Client) -> None:
    keys = {scope: create_key(name=scope, scopes=[scope])[1] for scope in ("storefront", "manage")}
    assert {scopes_of(path)[0] for _, path in operations()} == {"storefront", "manage"}

    for method, path in operations():
        needed, other = scopes_of(path)
        without = client.generic(method, path)
        refused = client.generic(method, path, headers={"Authorization": f"Bearer {keys[other]}"})

        assert_problem(without, 401, "An API key is required: Authorization: Bearer KEY.")  # type: ignore[arg-type]
        assert_problem(refused, 403, f"This API key lacks the scope {needed}.")  # type: ignore[arg-type]


def test_the_document_and_its_page_are_open_to_everybody(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()

    assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "Tidings")
    assert client.get("/api/v1/docs").status_code == 200
    assert_problem(client.get("/api/v1/nowhere"), 404, "There is nothing here.")  # type: ignore[arg-type]
