"""Takes credentials out of what is kept of an attempt."""

import json
from collections.abc import Iterable

from channels_app.transports.rules import MASK

SHORTEST_CREDENTIAL = 8


class Redactor:
    """Leaves credentials out of what a receiver sent back: each whole value, and what in it is long enough to be one.

    A word of fewer than 8 characters is left, since it would stand for itself anywhere else, too.
    """

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for value in values for part in (value, *value.split()) if len(part) >= SHORTEST_CREDENTIAL}
        in_json = {json.dumps(part)[1:-1] for part in parts}
        # Some write a slash with a backslash in JSON.
        parts |= in_json | {part.replace("/", r"\/") for part in in_json}
        self._parts = sorted(parts, key=len, reverse=True)

    def of_text(self, text: str) -> str:
        for part in self._parts:
            text = text.replace(part, MASK)
        return text

    def of_bytes(self, data: bytes) -> bytes:
        """Redact a body that may have been cut: the beginning of a credential at its end goes as well."""
        for part in self._parts:
            data = data.replace(part.encode(), MASK.encode())
        return self._without_cut_credential(data)

    def _without_cut_credential(self, data: bytes) -> bytes:
        for part in self._parts:
            for length in range(len(part) - 1, SHORTEST_CREDENTIAL - 1, -1):
                if data.endswith(part[:length].encode()):
                    return data[:-length] + MASK.encode()
        return data
