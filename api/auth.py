"""Authentication by API key: `Authorization: Bearer KEY` (RFC 6750)."""

import structlog
from django.http import HttpRequest
from ninja.security import HttpBearer

from api.keys import authenticate
from api.models import ApiKey, Scope
from api.problems import Problem
from api.rate import count_call, count_wrong_key

REALM = 'Bearer realm="Tidings"'


class ScopedKey(HttpBearer):
    """Lets in a key that has `scope`; the view finds its `ApiKey` in `request.auth`.

    Answers 401 without a key or with one that is not in force, 403 for a key that lacks the scope, each with the
    challenge of RFC 6750, section 3; 429 where `api.rate` says that it is too often.
    """

    openapi_description = "A key made by `python manage.py create_api_key`."

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = Scope(scope)

    def __call__(self, request: HttpRequest) -> ApiKey:
        # Not ninja's own: with DEBUG on that one logs an Authorization header of another scheme.
        scheme, _, key = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise Problem(401, "An API key is required: Authorization: Bearer KEY.", headers=_challenge())
        return self.authenticate(request, key.strip())

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey:
        record = authenticate(token)
        if record is None:
            count_wrong_key(request)
            raise Problem(401, "This API key is unknown or revoked.", headers=_challenge('error="invalid_token"'))
        structlog.contextvars.bind_contextvars(api_key_id=record.pk)  # of every further log line of this request
        count_call(request, record)
        if self.scope not in record.scopes:
            raise Problem(
                403,
                f"This API key lacks the scope {self.scope}.",
                headers=_challenge('error="insufficient_scope"', f'scope="{self.scope}"'),
            )
        return record


def _challenge(*parameters: str) -> dict[str, str]:
    return {"WWW-Authenticate": ", ".join([REALM, *parameters])}
