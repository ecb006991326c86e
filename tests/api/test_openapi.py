"""The OpenAPI document of version 1, whatever its rooms add to it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

Operation = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """As a stranger gets it."""
    document: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return document


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


def referred(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """What `part` is, or what its `$ref` points at."""
    if "$ref" not in part:
        return part
    found: dict[str, Any] = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def contents(document: dict[str, Any], operations: list[Operation]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body and answer, refusals included, with a name for messages."""
    for name, operation in operations:
        bodies = operation.get("requestBody", {}).get("content", {})
        yield from ((f"{name} body", content) for content in bodies.values())
        for status, response in operation["responses"].items():
            answers = referred(document, response).get("content", {})
            yield from ((f"{name} {status}", content) for content in answers.values())


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_call_of_the_contract_is_there(operations: list[Operation]) -> None:
    calls = {re.sub(r"{\w+}", "{}", name).replace("/api/v1", "") for name, _ in operations}

    assert calls == {
        "GET /products",
        "POST /contacts",
        "POST /orders",
        "GET /orders/{}",
        "POST /orders/{}/transactions",
        "POST /orders/{}/thank-you",
        "POST /orders/{}/refunds",
        "PUT /orders/{}/tracking",
        "POST /subscriptions/{}/cancel",
        "POST /surveys/{}/responses",
        "GET /event-types",
        "PATCH /event-types/{}",
        "GET /channels",
        "POST /channels",
        "GET /channels/{}",
        "PATCH /channels/{}",
        "DELETE /channels/{}",
        "POST /channels/{}/test",
        "POST /channels/{}/pause",
        "POST /channels/{}/resume",
        "POST /channels/{}/rotate-secret",
        "POST /channels/{}/replay",
        "GET /event-types/{}/channels",
        "POST /event-types/{}/channels",
        "PATCH /event-types/{}/channels/{}",
        "DELETE /event-types/{}/channels/{}",
        "GET /events",
        "GET /events/{}",
        "GET /deliveries",
        "GET /deliveries/{}",
        "POST /deliveries/{}/retry",
    }


def test_every_operation_says_its_scope(operations: list[Operation]) -> None:
    scopes = {tuple(operation["security"][0]["apiKey"]) for _, operation in operations}

    assert scopes == {("storefront",), ("manage",)}
    for name, operation in operations:
        [scope] = operation["security"][0]["apiKey"]
        assert f"Scope: `{scope}`." in operation["description"], name


def test_every_parameter_and_answer_is_described(document: dict[str, Any], operations: list[Operation]) -> None:
    for name, operation in operations:
        for parameter in operation["parameters"]:
            assert referred(document, parameter).get("description"), (name, parameter)
        for status, response in operation["responses"].items():
            assert referred(document, response).get("description"), (name, status)
        assert "default" not in operation["responses"], name


def test_every_body_and_answer_has_an_example_that_fits_its_schema(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    checked = list(contents(document, operations))
    assert len(checked) > 250

    for name, content in checked:
        errors = [error.message for error in validator(document, content["schema"]).iter_errors(content["example"])]
        assert errors == [], name


def test_lists_tell_of_their_pages(operations: list[Operation]) -> None:
    paged = [operation for _, operation in operations if operation["operationId"].startswith("list_")]
    assert len(paged) == 6

    for operation in paged:
        parameters = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
        assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"]) == (1, 200)
        assert parameters["limit"]["default"] == 50
        assert parameters["cursor"]["type"] == "string"
        assert operation["responses"]["422"] == {"$ref": "#/components/responses/UnprocessableContent"}


def test_a_member_of_an_answer_is_null_and_never_absent(document: dict[str, Any], operations: list[Operation]) -> None:
    def check(schema: dict[str, Any], path: str, seen: frozenset[str] = frozenset()) -> int:
        if schema.get("$ref") in seen:
            return 0
        seen |= {schema.get("$ref", path)}
        schema = referred(document, schema)
        found = 0
        for choice in schema.get("anyOf", []):
            found += check(choice, path, seen)
        if "items" in schema:
            found += check(schema["items"], f"{path}[]", seen)
        if "properties" in schema:
            assert sorted(schema["required"]) == sorted(schema["properties"]), path
            assert "additionalProperties" not in schema, path
            for name, member in schema["properties"].items():
                found += 1 + check(member, f"{path}.{name}", seen)
        return found

    members = 0
    for name, operation in operations:
        for status, response in operation["responses"].items():
            if status < "300" and "content" in response:
                members += check(response["content"]["application/json"]["schema"], name)
    assert members > 300


def test_a_change_has_no_defaults(document: dict[str, Any], operations: list[Operation]) -> None:
    changes = [operation for name, operation in operations if name.startswith("PATCH")]
    assert len(changes) == 3

    for operation in changes:
        schema = referred(document, operation["requestBody"]["content"]["application/json"]["schema"])
        assert not [name for name, member in schema["properties"].items() if "default" in member]


def test_what_is_sent_in_is_strict_and_what_is_given_out_is_open(
    document: dict[str, Any], operations: list[Operation]
) -> None:
    sent = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for _, operation in operations
        if "requestBody" in operation
    ]
    assert len(sent) > 10
    for schema in sent:
        assert referred(document, schema)["additionalProperties"] is False, schema
    strict = {name for name, schema in document["components"]["schemas"].items() if "additionalProperties" in schema}
    given_out = json.dumps([document["webhooks"], [operation["responses"] for _, operation in operations]])
    assert not [name for name in strict if f'schemas/{name}"' in given_out]
    assert "additionalProperties" not in document["components"]["schemas"]["Problem"]
    assert "Members may be added" in document["info"]["description"]
