"""What the schemas are called outside, where generators make types of their names.

An object that is given out has the plain name of the thing (`Order`), what is sent in is a request (`OrderRequest`) or
a change, and a page of a list is a page (`OrderPage`).
"""

import json
import re
from typing import Any

from api.openapi.walking import REF

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
