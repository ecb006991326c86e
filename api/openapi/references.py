"""Schemas in schemas: what refers to what, and the public names, of which generators make types.

An object that is given out has the plain name of the thing (`Order`), what is sent in is a request (`OrderRequest`) or
a change, and a page of a list is a page (`OrderPage`).
"""

import json
import re
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


# By the name of the class, where the rules would not tell two things apart or would say the wrong thing.
_NAMES = {
    "ListedProductOut": "Product",
    "ProductOut": "ProductBrief",
    "ResponseOut": "SurveyResponse",
    "SurveyCall": "SurveyResponseRequest",
    "ItemInput": "OrderItemRequest",
    "SentContact": "OrderContactRequest",
    "Nothing": "EmptyRequest",
    "ThankYouCall": "ThankYouRequest",
    "Rotation": "RotationRequest",
}


def public_name(name: str) -> str:
    """`OrderOut` is `Order`, `OrderCall` and `AddressInput` are requests, `PagedListedChannelOut` is `ChannelPage`."""
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("Paged"):
        return f"{re.sub('Out$', '', name.removeprefix('Paged').removeprefix('Listed'))}Page"
    named = re.sub("(Call|Input|In)$", "Request", name) if name not in {"Input", "In"} else name
    return re.sub("Out$", "", named)


def renamed(part: Any) -> Any:
    """A part of the document with all references by their public names."""

    def rename(found: re.Match[str]) -> str:
        return f'"{REF}{public_name(found[1])}"'

    return json.loads(re.sub(f'"{REF}([^"]+)"', rename, json.dumps(part, default=str)))
