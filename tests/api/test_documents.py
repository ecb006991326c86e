import re
from typing import Any

import pytest

from tests.calling import Caller


@pytest.fixture
def document(stranger: Caller) -> dict[str, Any]:
    response = stranger("GET", "/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()  # type: ignore[attr-defined]
    return document


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "Throw-away", "version": "9", "description": ""}
    assert "/api/v1/orders" in document["paths"]
    assert document["components"]["securitySchemes"] == {
        "ScopedKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key made by `python manage.py create_api_key`.",
        }
    }


def test_every_operation_needs_a_key_and_tells_how_it_refuses(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]

    assert len(operations) == 10
    for operation in operations:
        assert operation["security"] == [{"ScopedKey": []}]
        assert operation["responses"]["default"]["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }


def test_a_list_is_documented_as_a_page(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/keys"]["get"]
    parameters = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}

    assert parameters["limit"] == {"default": 50, "maximum": 200, "minimum": 1, "title": "Limit", "type": "integer"}
    assert parameters.keys() == {"name", "limit", "cursor"}
    page = document["components"]["schemas"]["PagedKey"]
    assert page["properties"].keys() == {"results", "next"}


def test_the_page_for_people_asks_no_other_host(stranger: Caller, settings: Any) -> None:
    settings.STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    response = stranger("GET", "/docs")
    page = response.content.decode()

    assert response.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(loaded) == 5
    assert all(url.startswith("/static/ninja/") for url in loaded)
    assert "//" not in page.replace("<!DOCTYPE html>", "")
    assert '"url": "/api/v1/openapi.json"' in page
    assert '"validatorUrl": null' in page
    scripts = re.findall(r"<script([^>]*)>", page)
    assert all("src=" in script or "application/json" in script for script in scripts)
