"""How the API refuses, as shared responses of its OpenAPI document, and which operation can refuse how."""

from typing import Any

from api.problems import CONTENT_TYPE, DETAILS, MAX_BODY_BYTES, phrase

_WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})
_TEXT = {"type": "string"}
_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "The challenge of RFC 6750, section 3.",
        "schema": _TEXT,
        "example": 'Bearer realm="Tidings", error="insufficient_scope", scope="manage"',
    }
}
_WAIT = {
    "description": "Seconds to wait.",
    "schema": {"type": "integer", "format": "int32", "minimum": 0},
    "example": 1,
}

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "A refusal by RFC 9457. The status says what kind; `errors` names fields and comes with 422 only.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "description": "Always `about:blank`: the status says what kind of problem it is.",
            "examples": ["about:blank"],
        },
        "title": {"type": "string", "description": "The phrase of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The status again."},
        "detail": {"type": "string", "description": "A sentence for people."},
        "errors": {
            "type": "array",
            "description": "What is wrong where, at most 100 of them; with 422 only.",
            "items": {"$ref": "#/components/schemas/FieldError"},
        },
    },
}
FIELD_ERROR: dict[str, Any] = {
    "title": "FieldError",
    "description": "What is wrong with one member of a body, one parameter or one header.",
    "type": "object",
    "required": ["field", "message"],
    "properties": {
        "field": {
            "type": "string",
            "description": "The member as in items[0].sku, the parameter or the header; empty for the body as a whole.",
        },
        "message": {"type": "string", "description": "A sentence for people."},
    },
}

_NAMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    422: "UnprocessableContent",
    429: "TooManyRequests",
}


def refusals() -> dict[str, Any]:
    """`components/responses`."""
    return {
        _NAMES[400]: _response(
            400,
            "The request cannot be read: malformed or too deeply nested JSON, a member given twice, a number that is "
            "not finite.",
            "The body is not JSON: line 1, column 9.",
        ),
        _NAMES[401]: _response(
            401,
            "No API key, or one that is unknown or revoked.",
            "An API key is required: Authorization: Bearer KEY.",
            headers=_CHALLENGE,
        ),
        _NAMES[403]: _response(
            403, "The API key lacks the scope.", "This API key lacks the scope manage.", headers=_CHALLENGE
        ),
        _NAMES[404]: _response(404, "What the path names does not exist. Malformed ids are unknown ids.", DETAILS[404]),
        _NAMES[405]: _response(
            405,
            "The path does not take this method.",
            DETAILS[405].format(method="PUT"),
            headers={"Allow": {"description": "What it takes.", "schema": _TEXT, "example": "GET, HEAD, OPTIONS"}},
        ),
        _NAMES[409]: _response(
            409,
            "The state of things does not allow it; or the `Idempotency-Key` belongs to another call, or to one that "
            "is still running, which alone comes with `Retry-After`.",
            "The order has no approved purchase yet.",
            headers={"Retry-After": _WAIT},
        ),
        _NAMES[413]: _response(413, "The body is larger than 256 KiB.", f"A body has at most {MAX_BODY_BYTES} bytes."),
        _NAMES[415]: _response(
            415, "The body is not JSON, or it is encoded.", "The body must be of Content-Type application/json."
        ),
        _NAMES[422]: _response(
            422,
            "Members, parameters or the `Idempotency-Key` cannot be accepted, unknown and repeated parameters "
            "included; `errors` says which and why.",
            DETAILS[422],
            errors=[{"field": "items[0].sku", "message": "This member is required."}],
        ),
        _NAMES[429]: _response(
            429,
            "More calls of this key in a minute than the installation allows (6000 unless set otherwise), or as many "
            "calls with wrong keys from this address. Nothing was done.",
            "Too many calls with this API key. Try again in 17 s.",
            headers={"Retry-After": {**_WAIT, "example": 17}},
        ),
    }


def refusals_of(*, method: str, path_parameters: bool) -> dict[str, Any]:
    """The `responses` of an operation that are refusals. `method` in capitals."""
    statuses = {400, 401, 403, 422, 429}
    if path_parameters:
        statuses.add(404)
    if method in _WITH_A_BODY:
        statuses |= {413, 415}
    if method != "GET":
        statuses.add(409)
    return {str(status): {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in sorted(statuses)}


def _response(
    status: int,
    description: str,
    detail: str,
    *,
    headers: dict[str, Any] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": phrase(status),
        "status": status,
        "detail": detail,
    }
    if errors:
        example["errors"] = errors
    response: dict[str, Any] = {
        "description": description,
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
    return {**response, "headers": headers} if headers else response
