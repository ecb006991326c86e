import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from config.api.keys import create_key

CONTENT_TYPE = "application/problem+json"


@dataclass
class Caller:
    """Calls the throw-away API as a program does: bytes in, a status and JSON out, our own errors included."""

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
        """`body` is bytes as they are, anything else as JSON. `path` begins after `/api/v1`."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = dict(headers or {})
        if self.key and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.key}"
        return self.client.generic(  # type: ignore[return-value]
            method, f"/api/v1{path}", content, content_type, headers=headers, **environ
        )


@pytest.fixture
def throwaway(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.api.throwaway"


@pytest.fixture
def call(throwaway: None, db: None) -> Caller:
    """A caller whose key has both scopes."""
    return Caller(create_key(name="Tests", scopes=["storefront", "manage"])[1])


@pytest.fixture
def stranger(throwaway: None) -> Caller:
    """A caller without a key."""
    return Caller()
