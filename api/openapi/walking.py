"""Schemas in schemas."""

from collections.abc import Iterator
from typing import Any

REF = "#/components/schemas/"


def each_schema(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and all that stand in it, outermost first. What a `$ref` leads to is not followed."""
    yield schema
    inner = [*schema.get("properties", {}).values()]
    for keyword in ("anyOf", "oneOf", "allOf"):
        inner += schema.get(keyword, [])
    inner += [schema[keyword] for keyword in ("items", "additionalProperties") if isinstance(schema.get(keyword), dict)]
    for each in inner:
        yield from each_schema(each)


def references(node: Any) -> Iterator[str]:
    """Every `$ref` in a part of a document, wherever it stands."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)
