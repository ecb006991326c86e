import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpRequest
from ninja import Router, Schema

from api.auth import ScopedKey
from api.build import build_api
from tests.api.problems import TITLES
from tests.api.throwaway import Key
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
    assert document["servers"] == [{"url": "/", "description": "Where this document comes from"}]
    assert "/api/v1/orders" in document["paths"]
    assert document["components"]["securitySchemes"] == {
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key made by `python manage.py create_api_key`.",
        }
    }


def test_an_operation_is_told_with_its_scope(document: dict[str, Any]) -> None:
    create = document["paths"]["/api/v1/orders"]["post"]
    listed = document["paths"]["/api/v1/keys"]["get"]

    assert (create["operationId"], create["summary"]) == ("create_order", "Create order")
    assert (create["security"], create["description"]) == ([{"apiKey": ["storefront"]}], "Scope: `storefront`.")
    assert (listed["security"], listed["description"]) == ([{"apiKey": ["manage"]}], "Scope: `manage`.")


@pytest.mark.parametrize(
    ("method", "path", "refusals"),
    [
        ("get", "/keys", [400, 401, 403, 422, 429]),
        ("get", "/orders/{number}", [400, 401, 403, 404, 422, 429]),
        ("post", "/orders", [400, 401, 403, 409, 413, 415, 422, 429]),
        ("post", "/orders/{number}/thank-you", [400, 401, 403, 404, 409, 413, 415, 422, 429]),
        ("put", "/orders/{number}/tracking", [400, 401, 403, 404, 409, 413, 415, 422, 429]),
    ],
)
def test_an_operation_tells_how_it_refuses(
    document: dict[str, Any], method: str, path: str, refusals: list[int]
) -> None:
    responses = document["paths"][f"/api/v1{path}"][method]["responses"]
    shared = document["components"]["responses"]

    told = {int(status): response for status, response in responses.items() if "$ref" in response}
    assert list(told) == refusals
    for status, response in told.items():
        refusal = shared[response["$ref"].removeprefix("#/components/responses/")]
        [(content_type, content)] = refusal["content"].items()
        assert content_type == "application/problem+json"
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert (content["example"]["status"], content["example"]["title"]) == (status, TITLES[status])


def test_every_post_and_nothing_else_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    reference = {"$ref": "#/components/parameters/IdempotencyKey"}
    taking = {
        (path, method)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if reference in operation["parameters"]
    }

    assert taking == {
        (path, method) for path, operations in document["paths"].items() for method in operations if method == "post"
    }
    assert len(taking) == 6
    accepted = document["paths"]["/api/v1/orders"]["post"]["responses"]["201"]
    assert accepted["headers"] == {"Idempotent-Replayed": {"$ref": "#/components/headers/IdempotentReplayed"}}
    parameter = document["components"]["parameters"]["IdempotencyKey"]
    assert (parameter["in"], parameter["name"], parameter["required"]) == ("header", "Idempotency-Key", False)
    assert parameter["schema"]["maxLength"] == 255


def test_a_body_that_may_be_left_out_is_not_null(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/v1/channels/{channel_id}/pause"]["post"]["requestBody"]

    assert body["required"] is False
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Pause"}


def test_two_schemas_of_one_name_are_refused() -> None:
    def other() -> type[Schema]:
        class Key(Schema):
            secret: str

        return Key

    @(router := Router()).get("/other", response=other())
    def read_other(request: HttpRequest) -> None:
        raise NotImplementedError

    @router.get("/one", response=Key)
    def read_one(request: HttpRequest) -> None:
        raise NotImplementedError

    api = build_api(title="Two", version="1", namespace="two")
    api.add_router("", router, auth=ScopedKey("manage"))

    with pytest.raises(ValueError, match=r"^Two schemas of the API are named Key\.$"):
        api.get_openapi_schema(path_prefix="/")


def test_a_list_is_documented_as_a_page(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/keys"]["get"]
    parameters = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}

    assert parameters["limit"] == {"default": 50, "maximum": 200, "minimum": 1, "type": "integer", "format": "int32"}
    assert parameters.keys() == {"name", "limit", "cursor"}
    page = document["components"]["schemas"]["KeyPage"]
    assert page["properties"].keys() == {"results", "next"}


def test_the_page_for_people_asks_no_other_host(stranger: Caller, settings: Any) -> None:
    settings.STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    response = stranger("GET", "/docs")
    page = response.content.decode()

    assert response.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(loaded) == 6
    assert all(url.startswith(("/static/", "/api/v1/openapi.json")) for url in loaded)
    assert '<html lang="en">' in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "//" not in page.replace("<!DOCTYPE html>", "")
    assert '"url": "/api/v1/openapi.json"' in page
    assert '"validatorUrl": null' in page
    scripts = re.findall(r"<script([^>]*)>", page)
    assert all("src=" in script or "application/json" in script for script in scripts)


def test_the_styles_of_the_page_ask_no_other_host() -> None:
    styles = Path(str(finders.find("ninja/swagger-ui.css"))).read_text()
    loaded = re.findall(r"url\(([^)]{0,20})", styles)

    assert loaded
    assert all(url.strip("\"'").startswith("data:") for url in loaded)
    assert "@import" not in styles


def test_the_browser_itself_keeps_the_page_to_this_host(stranger: Caller) -> None:
    """What a script might still ask for is decided by the Content-Security-Policy, which names no host."""
    for path in ("/docs", "/openapi.json"):
        policy = dict(part.split(" ", 1) for part in stranger("GET", path)["Content-Security-Policy"].split("; "))
        sources = {source for sources in policy.values() for source in sources.split()}

        assert policy["default-src"] == "'none'"
        assert (policy["script-src"], policy["connect-src"]) == ("'self'", "'self'")
        assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:"}
