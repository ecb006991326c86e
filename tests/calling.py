"""Calls the API as a program does."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client


@dataclass
class Caller:
    """Bytes in, a status and JSON out, our own errors included."""

    key: str | None = None
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = b"",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        **environ: Any,
    ) -> HttpResponse:
        """`body` is bytes as they are, anything else as JSON. `path` begins after `/api/v1`.

        No answer, whatever it is, may be kept by a cache.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = dict(headers or {})
        if self.key and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.key}"
        response: HttpResponse = self.client.generic(  # type: ignore[assignment]
            method, f"/api/v1{path}", content, content_type, headers=headers, **environ
        )
        assert response["Cache-Control"] == "no-store"
        return response
