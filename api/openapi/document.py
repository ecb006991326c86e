"""The OpenAPI 3.1 document: what ninja derives from the operations, completed with what holds for all of them."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from api.auth import ScopedKey
from api.idempotency import HEADER, MAX_LENGTH, REPLAYED_HEADER
from api.openapi.examples import adjusted, example_of
from api.openapi.references import REF, each_schema, public_name, references, renamed
from api.openapi.refusals import FIELD_ERROR, PROBLEM, refusals, refusals_of
from api.openapi.webhooks import describe_bodies, webhooks_of
from api.openapi.words import name_values
from notifications.events import EventType

SECURITY_SCHEME = "apiKey"
LARGEST_INT32 = 2**31 - 1
_ANSWERS = {
    200: "Done.",
    201: "Created.",
    202: "Accepted: a worker goes on with it.",
    204: "Done. The answer has no body.",
}
_KNOWN_ALREADY = "It was there already: nothing was created."
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
        describe_bodies(self.schemas, event_types)
        self._rename()
        operations = [operation for path in self["paths"].values() for operation in path.values()]
        sent = self._reached([operation.get("requestBody") for operation in operations])
        given_out = self._reached([[operation["responses"] for operation in operations], self["webhooks"]])
        if both := sent & given_out:
            raise ValueError(f"Sent in and given out: {', '.join(sorted(both))}. What is sent in is strict.")
        for name, schema in list(self.schemas.items()):
            self._normalize(schema, sent=name in sent)
            if name in given_out and "properties" in schema:
                # Pydantic lets members with a default be absent; we send them all. Others may be added at any time, so
                # what is given out is open, and only what is sent in is strict.
                schema["required"] = list(schema["properties"])
                schema.pop("additionalProperties", None)
        for operation in operations:
            for parameter in operation["parameters"]:
                if "schema" in parameter:
                    self._normalize(parameter["schema"], sent=True)
        for content, is_sent, operation, status in self._contents():
            content.setdefault("example", example_of(content["schema"], self.schemas, sent=is_sent))
            content["example"] = adjusted(operation, status, content["example"])
        self._forget_unused()

    def add_schema_definitions(self, definitions: dict[str, Any]) -> None:
        for name, schema in definitions.items():
            if self.schemas.setdefault(name, schema) != schema:
                raise ValueError(f"Two schemas of the API are named {name}.")

    def get_components(self) -> dict[str, Any]:
        self.schemas |= {"Problem": deepcopy(PROBLEM), "FieldError": deepcopy(FIELD_ERROR)}
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

    def _rename(self) -> None:
        """Give all schemas their public names. `ValueError` where two would have the same one."""
        for name, schema in list(self.schemas.items()):
            public = public_name(name)
            del self.schemas[name]
            if public in self.schemas:
                raise ValueError(f"Two schemas of the API are named {public}.")
            self.schemas[public] = renamed(schema)
            if name.startswith("Paged"):
                self.schemas[public] |= {"description": "A page of a list."}
                self.schemas[public]["properties"]["results"]["description"] = "What is on this page."
        self["paths"], self["webhooks"] = renamed(self["paths"]), renamed(self["webhooks"])
        self["components"]["schemas"] = self.schemas

    def _reached(self, part: Any) -> set[str]:
        """The names of the schemas that a part of the document refers to, and of those that these refer to."""
        waiting, found = [part], set()
        while waiting:
            for reference in references(waiting.pop()):
                name = reference.removeprefix(REF)
                if reference.startswith(REF) and name not in found:
                    found.add(name)
                    waiting.append(self.schemas[name])
        return found

    def _normalize(self, schema: dict[str, Any], *, sent: bool) -> None:
        """Take out of a schema and its parts what misleads generators of clients: titles, defaults, doubled notes."""
        for each in each_schema(schema):
            each.pop("title", None)  # a type for each member, which pydantic makes of the member's name
            if sent and "properties" in schema:
                each.pop("default", None)  # generators send it, or ask for the member
            _hoist_annotations(each)
        name_values(schema, self.schemas, sent=sent)
        for each in each_schema(schema):
            if each.get("type") == "integer":
                each.setdefault("format", "int32" if each.get("maximum", LARGEST_INT32) <= LARGEST_INT32 else "int64")

    def _contents(self) -> Iterator[tuple[dict[str, Any], bool, str, str]]:
        """The content of each body and answer, whether it is sent to the API, by which operation, and the status."""
        for path in self["paths"].values():
            for operation in path.values():
                name = operation["operationId"]
                for content in operation.get("requestBody", {}).get("content", {}).values():
                    yield content, True, name, ""
                for status, response in operation["responses"].items():
                    for content in response.get("content", {}).values():
                        yield content, False, name, status
        for webhook in self["webhooks"].values():
            content = webhook["post"]["requestBody"]["content"]["application/json"]
            yield content, False, webhook["post"]["operationId"], ""

    def _forget_unused(self) -> None:
        """Ninja keeps the schemas of queries; and of our own parts, not every API needs each."""
        components = self["components"]
        used: set[str] = set()
        waiting: list[Any] = [self["paths"], self["webhooks"]]
        while waiting:
            for reference in set(references(waiting.pop())) - used:
                used.add(reference)
                kind, name = reference.removeprefix("#/components/").split("/", 1)
                waiting.append(components[kind][name])
        for kind in ("schemas", "responses", "parameters", "headers"):
            for name in list(components[kind]):
                if f"#/components/{kind}/{name}" not in used:
                    del components[kind][name]


def _scope(operation: Operation) -> str:
    [key] = operation.auth_callbacks
    if not isinstance(key, ScopedKey):
        raise TypeError(f"{operation.view_func.__name__} is not mounted with a scope.")
    return key.scope.value


def _described(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = dict(_without_null(parameter["schema"]))
    if parameter["in"] == "path":
        # A segment of the path is never empty.
        schema.setdefault("minLength", 1)
    elif schema.get("description") == parameter.get("description"):
        schema.pop("description", None)
    described = {**parameter, "schema": schema}
    # Ninja copies the schema's list of examples, which a parameter does not take in that form.
    if listed := described.pop("examples", None):
        described["example"] = listed[0]
    return described


def _described_answers(responses: dict[int, dict[str, Any]], method: str) -> dict[str, dict[str, Any]]:
    described = {}
    for status, response in sorted(responses.items()):
        description = _KNOWN_ALREADY if status == 200 and 201 in responses else _ANSWERS[status]
        described[str(status)] = {**response, "description": description}
        if method == "POST":
            described[str(status)]["headers"] = {REPLAYED_HEADER: {"$ref": "#/components/headers/IdempotentReplayed"}}
    return described


def _hoist_annotations(schema: dict[str, Any]) -> None:
    """Move description and examples of a value that may be null up to its member."""
    options = schema.get("anyOf", [])
    if len(options) == 2 and options[1] == {"type": "null"}:
        for keyword in ("description", "examples"):
            said = options[0].pop(keyword, None)
            if said is not None:
                schema.setdefault(keyword, said)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that may be left out, without null: a query or a body cannot be null."""
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if not options or len(options) == len(schema["anyOf"]):
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**rest, **options[0]} if len(options) == 1 else {**rest, "anyOf": options}
