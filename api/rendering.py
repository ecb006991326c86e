"""How values look in an answer."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ninja.renderers import JSONRenderer
from ninja.responses import NinjaJSONEncoder


class AnswerEncoder(NinjaJSONEncoder):
    """Times as RFC 3339 UTC with six digits and `Z` (Django's encoder keeps three); money with two decimals."""

    def default(self, o: Any) -> Any:
        if isinstance(o, datetime):
            return o.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        if isinstance(o, Decimal):
            return f"{o:.2f}"
        return super().default(o)


class AnswerRenderer(JSONRenderer):
    encoder_class = AnswerEncoder
