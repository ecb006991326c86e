"""The log lines of this process as production writes them."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings


class Lines:
    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def of(self, event: str) -> list[dict[str, Any]]:
        """Those of this name, in their order."""
        return [line for line in map(json.loads, self.text.splitlines()) if line["event"] == event]


@contextmanager
def log_lines() -> Iterator[Lines]:
    """Writes what `LOGGING` writes to stderr, in JSON."""
    line: Any = settings.LOGGING["formatters"]["line"]  # type: ignore[index]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[*line["processors"][:-1], structlog.processors.JSONRenderer()],
            foreign_pre_chain=line["foreign_pre_chain"],
        )
    )
    (stderr,) = (each for each in logging.getLogger().handlers if each.get_name() == "stderr")
    for each in stderr.filters:
        handler.addFilter(each)
    logging.getLogger().addHandler(handler)
    try:
        yield Lines(stream)
    finally:
        logging.getLogger().removeHandler(handler)
