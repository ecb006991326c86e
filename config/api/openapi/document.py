"""The OpenAPI 3.1 document: what ninja derives from the operations, completed with what holds for all of them."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from config.api.auth import ScopedKey
from config.api.idempotency import HEADER, MAX_LENGTH, REPLAYED_HEADER
from config.api.openapi.examples import REF, example_of, named_example
from config.api.openapi.refusals import PROBLEM, refusals, refusals_of
from config.api.openapi.webhooks import webhooks_of
from notifications.catalogue import EventType

SECURITY_SCHEME = "apiKey"
_ANSWERS = {
    200: "Done.",
    201: "Created.",
    202: "Accepted: a worker goes on with it.",
    204: "Done. The answer has no body.",
}
_KNOWN_ALREADY = "It was there already: nothing was created."
_PARAMETERS = {
    "channel": "Only those of the channel with this id.",
    "channel_id": "The channel's id.",
    "created_after": "Only those created after this moment (RFC 3339, with an offset).",
    "cursor": "Where the page begins: taken from the `next` of the page before.",
    "delivery_id": "The delivery's id.",
    "event_id": "The event's id.",
    "expand": "`attempts`: each attempt comes with what was sent and answered, as in `GET /deliveries/{delivery_id}`.",
    "event_type": "Only those of this event type, named by its key.",
    "key": "The event type's key.",
    "limit": "How many results a page has at most.",
    "number": "The order's number.",
    "order": "Only those of the order with this number.",
    "slug": "The survey's slug.",
    "source": "Only those from this source: admin, shop or funnel.",
    "status": "Only those in this status: pending, held, succeeded or failed.",
    "subscription_id": "The subscription's id.",
}
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "Makes the call safe to send again: within 24 hours the same call with the same key happens once "
    "and gets the first answer. With another body or path, and while the first is still running, it is a 409. Only "
    "answers of 2xx are kept.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "example": "7f3c1d52-order-1001",
}
_REPLAYED: dict[str, Any] = {
    "description": "Present where this is the answer to an earlier call with the same `Idempotency-Key`.",
    "schema": {"type": "string", "const": "true"},
    "example": "true",
}


class Document(OpenAPISchema):
    """Ninja's document of an API, with scopes, refusals, `Idempotency-Key`, descriptions, examples and webhooks.

    Knows no operation by name: what is added to a router appears here. Raises `ValueError` where two different
    schemas have one name, of which ninja would keep the last.
    """

    def __init__(self, api: NinjaAPI, path_prefix: str, event_types: Iterable[EventType] = ()) -> None:
        super().__init__(api, path_prefix)
        self["webhooks"] = webhooks_of(event_types, self.add_schema_definitions)
        for schema in self._answered():
            if "properties" in schema:
                # Pydantic lets members with a default be absent; we send them all. Others may be added at any time, so
                # what is given out is open, and only what is sent in is strict.
                schema["required"] = list(schema["properties"])
                schema.pop("additionalProperties", None)
        for path in self["paths"].values():
            if "patch" in path:
                self._forget_defaults(path["patch"])
        for content, sent in self._contents():
            content.setdefault("example", example_of(content["schema"], self.schemas, sent=sent))

    def add_schema_definitions(self, definitions: dict[str, Any]) -> None:
        for name, schema in definitions.items():
            if self.schemas.setdefault(name, schema) != schema:
                raise ValueError(f"Two schemas of the API are named {name}.")

    def get_components(self) -> dict[str, Any]:
        self.schemas["Problem"] = PROBLEM
        return {
            "schemas": self.schemas,
            "responses": refusals(),
            "parameters": {"IdempotencyKey": _IDEMPOTENCY_KEY},
            "headers": {"IdempotentReplayed": _REPLAYED},
            "securitySchemes": {
                SECURITY_SCHEME: {"type": "http", "scheme": "bearer", "description": ScopedKey.openapi_description}
            },
        }

    def operation_details(self, operation: Operation) -> dict[str, Any]:
        details = super().operation_details(operation)
        [method] = operation.methods
        scope = _scope(operation)
        details["summary"] = operation.summary.capitalize()
        details["description"] = "\n\n".join(filter(None, [operation.description, f"Scope: `{scope}`."]))
        details["security"] = [{SECURITY_SCHEME: [scope]}]
        parameters = [_described(parameter) for parameter in details["parameters"]]
        places = {parameter["in"] for parameter in parameters}
        if method == "POST":
            parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        details["parameters"] = parameters
        details["responses"] = {
            **_described_answers(details["responses"], method),
            **refusals_of(method=method, path_parameters="path" in places),
        }
        return details

    def request_body(self, operation: Operation) -> dict[str, Any]:
        body = super().request_body(operation)
        if body:
            content = body["content"]["application/json"]
            content["schema"] = _without_null(content["schema"])
            body["description"] = "A JSON object of at most 256 KiB. Unknown members are refused."
        return body

    def _forget_defaults(self, patch: dict[str, Any]) -> None:
        """A member left out of a change stays as it is, whatever the code puts in its place."""
        schema = patch["requestBody"]["content"]["application/json"]["schema"]
        for member in self.schemas[schema["$ref"].removeprefix(REF)]["properties"].values():
            member.pop("default", None)

    def _answered(self) -> list[dict[str, Any]]:
        """The schemas of which answers and webhooks are made, wherever these refer to them."""
        operations = [operation for path in self["paths"].values() for operation in path.values()]
        waiting = [json.dumps([operation["responses"] for operation in operations]), json.dumps(self["webhooks"])]
        found: dict[str, dict[str, Any]] = {}
        while waiting:
            for name in re.findall(f'"{REF}([^"]+)"', waiting.pop()):
                if name not in found:
                    found[name] = self.schemas[name]
                    waiting.append(json.dumps(found[name], default=str))
        return list(found.values())

    def _contents(self) -> Iterator[tuple[dict[str, Any], bool]]:
        """The content of each body and answer, and whether it is sent to the API."""
        for path in self["paths"].values():
            for operation in path.values():
                yield from ((content, True) for content in operation.get("requestBody", {}).get("content", {}).values())
                for response in operation["responses"].values():
                    yield from ((content, False) for content in response.get("content", {}).values())
        for webhook in self["webhooks"].values():
            yield webhook["post"]["requestBody"]["content"]["application/json"], False


def _scope(operation: Operation) -> str:
    [key] = operation.auth_callbacks
    if not isinstance(key, ScopedKey):
        raise TypeError(f"{operation.view_func.__name__} is not mounted with a scope.")
    return key.scope.value


def _described(parameter: dict[str, Any]) -> dict[str, Any]:
    name = parameter["name"]
    schema = dict(_without_null(parameter["schema"]))
    if parameter["in"] == "path":
        # A segment of the path is never empty.
        schema.setdefault("minLength", 1)
    described = {**parameter, "schema": schema}
    if name in _PARAMETERS:
        described.setdefault("description", _PARAMETERS[name])
    # Ninja copies the schema's list of examples, which a parameter does not take in that form.
    listed = described.pop("examples", None)
    example = listed[0] if listed else named_example(name)
    if example is not None:
        described["example"] = example
    return described


def _described_answers(responses: dict[int, dict[str, Any]], method: str) -> dict[str, dict[str, Any]]:
    described = {}
    for status, response in sorted(responses.items()):
        description = _KNOWN_ALREADY if status == 200 and 201 in responses else _ANSWERS[status]
        described[str(status)] = {**response, "description": description}
        if method == "POST":
            described[str(status)]["headers"] = {REPLAYED_HEADER: {"$ref": "#/components/headers/IdempotentReplayed"}}
    return described


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Of what may be left out: null cannot be sent in a query, and is no body."""
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if not options or len(options) == len(schema["anyOf"]):
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**rest, **options[0]} if len(options) == 1 else {**rest, "anyOf": options}
