"""How the log shows times and JSON."""

import json
from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime

ISO_TIME = "Y-m-d H:i:s"


def short_time(at: datetime) -> str:
    """To the second, in the installation's time zone."""
    return date_format(localtime(at), ISO_TIME)


def pretty_json(body: str | None) -> str:
    """A frozen body indented for reading; "" where it was not built."""
    return "" if body is None else json.dumps(json.loads(body), indent=2, ensure_ascii=False)
