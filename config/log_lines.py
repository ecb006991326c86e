"""What stands in log lines of Django and of libraries, before they are written."""

import logging
from collections.abc import MutableMapping
from typing import Any

NO_PATH = "(path)"


class RequestsOnce(logging.Filter):
    """Leaves out Django's own lines of requests that were refused or failed: `config.request_log` tells of each."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name != "django.request"


def without_path(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take the path of a request out of what Django says of it, such as why a form was forged: it may hold a token."""
    record = line.get("_record")
    path = getattr(getattr(record, "request", None), "path", "")
    if len(path) > 1 and isinstance(line.get("event"), str):
        line["event"] = line["event"].replace(path, NO_PATH)
    return line
