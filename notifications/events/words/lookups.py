"""Takes facts out of a body: of whatever is null, missing or of another kind there is simply nothing.

People typed most of what stands in it, so every text comes out as one line of bounded length.
"""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from channels_app.text import cut
from channels_app.text import one_line as text_line
from notifications.display import money, time_in_words

VALUE_CHARACTERS = 300
_AMOUNT = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,4})?")
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def one_line(text: str, longest: int = VALUE_CHARACTERS) -> str:
    """As `channels_app.text.one_line`, cut to `longest` characters; "" where nothing of it would be seen."""
    line = text_line(text)
    return cut(line, longest) if any(each.isprintable() and each != " " for each in line) else ""


def in_words(value: Any) -> str:
    """Any JSON as one line; "" for null and for what is empty."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list) and not any(isinstance(member, dict | list) for member in value):
        return one_line(", ".join(filter(None, map(in_words, value))))
    return one_line(json.dumps(value, ensure_ascii=False)) if value not in (None, {}, []) else ""


def label_of(name: str) -> str:
    """The name of a member as a label: `how_found` is "How found"; anything else stays as it was typed."""
    return one_line(re.sub("[_-]", " ", name).capitalize() if _NAME.fullmatch(name) else name, 80)


class JsonObject:
    """A JSON object that may be null, or anything else, and then has no members."""

    def __init__(self, value: Any) -> None:
        self.members: dict[str, Any] = value if isinstance(value, dict) else {}

    def __bool__(self) -> bool:
        return bool(self.members)

    def text(self, name: str, longest: int = VALUE_CHARACTERS) -> str:
        """The text of a member, on one line; of a number its digits."""
        value = self.members.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return one_line(value, longest) if isinstance(value, str) else ""

    def whole(self, name: str, otherwise: int) -> int:
        """A whole number from 1 on; `otherwise` where there is none."""
        value = self.members.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise

    def is_true(self, name: str) -> bool:
        return self.members.get(name) is True

    def object(self, name: str) -> "JsonObject":
        return JsonObject(self.members.get(name))

    def objects(self, name: str) -> list["JsonObject"]:
        """The members of a list that are objects and not empty."""
        value = self.members.get(name)
        return [each for each in map(JsonObject, value) if each] if isinstance(value, list) else []

    def amount(self, name: str) -> Decimal | None:
        value = self.members.get(name)
        return Decimal(value) if isinstance(value, str) and _AMOUNT.fullmatch(value) else None

    def money(self, name: str, currency: str = "") -> str:
        """`1,234.50 USD`; in the object's own currency unless another is given."""
        amount = self.amount(name)
        return "" if amount is None else money(amount, currency or self.text("currency", 3)).strip()

    def money_if_any(self, name: str) -> str:
        """As `money`; "" also for nothing, as most orders have of some sums."""
        return self.money(name) if self.amount(name) else ""

    def time(self, name: str) -> str:
        """As `time_in_words`; "" for no time or one that is out of reach."""
        try:
            at = datetime.fromisoformat(self.text(name))
            return time_in_words(at if at.tzinfo else at.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            return ""
