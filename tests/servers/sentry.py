"""A Sentry on loopback: takes envelopes over real HTTP and keeps them as they came."""

import json
from dataclasses import dataclass
from typing import Any

from tests.servers.collecting import Collecting, unpacked


@dataclass
class Sentry(Collecting):
    @property
    def envelopes(self) -> list[str]:
        """Each request, with path and headers before the body."""
        return [
            "\n".join([each.path, *(f"{name}: {value}" for name, value in each.headers.items()), "", ""])
            + unpacked(each).decode()
            for each in list(self.received)
        ]

    @property
    def dsn(self) -> str:
        return f"http://key@127.0.0.1:{self.port}/1"

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was reported, in the order of arrival."""
        parsed = []
        for envelope in self.envelopes:
            header, payload = (json.loads(line) for line in envelope.splitlines()[-2:])
            assert header["type"] == "event", header
            parsed.append(payload)
        return parsed

    @property
    def told(self) -> str:
        """All that ever came."""
        return "\n".join(self.envelopes)
