"""What a refusal looks like, for every test of this folder."""

import json
from typing import Any

from django.http import HttpResponse

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def assert_problem(response: HttpResponse, status: int, detail: str, errors: dict[str, str] | None = None) -> None:
    """The answer is exactly this problem; `errors` is field to message, in order."""
    expected: dict[str, Any] = {"type": "about:blank", "title": TITLES[status], "status": status, "detail": detail}
    if errors is not None:
        expected["errors"] = [{"field": field, "message": message} for field, message in errors.items()]
    assert (response.status_code, json.loads(response.content)) == (status, expected)
    assert response["Content-Type"] == "application/problem+json"
    assert response["Content-Length"] == str(len(response.content))


def assert_fields(response: HttpResponse, errors: dict[str, str]) -> None:
    """The answer is a 422 with exactly these errors."""
    assert_problem(response, 422, "Some of the request cannot be accepted: see errors.", errors)
