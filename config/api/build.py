"""The shell of the API, for v1 and for the tests of the conventions alike."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema

from config.api.handlers import exception_handlers
from config.api.parsing import StrictParser
from config.api.problems import CONTENT_TYPE
from config.api.rendering import AnswerRenderer

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "A refusal by RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The phrase of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {
                        "type": "string",
                        "description": "As in items[0].sku; empty for the body as a whole.",
                    },
                    "message": {"type": "string"},
                },
            },
        },
    },
}


class ConventionalAPI(NinjaAPI):
    """A `NinjaAPI` whose OpenAPI document also tells how it refuses."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        schema["components"]["schemas"]["Problem"] = _PROBLEM
        refusal = {
            "description": "A problem",
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for path in schema["paths"].values():
            for method in _METHODS & path.keys():
                path[method]["responses"].setdefault("default", refusal)
        return schema


def build_api(*, title: str, version: str, namespace: str, description: str = "") -> NinjaAPI:
    """An API that keeps the conventions, without routers. `namespace` is the one of its URL names.

    Its document is at `openapi.json` and for people at `docs`, both open to everybody; the page loads everything
    from this host.
    """
    api = ConventionalAPI(
        title=title,
        version=version,
        description=description,
        urls_namespace=namespace,
        # The online validator is the one thing that Swagger's page would ask of another host.
        docs=Swagger(settings={"validatorUrl": None, "persistAuthorization": False}),
        docs_decorator=_read_only,
        parser=StrictParser(),
        renderer=AnswerRenderer(),
    )
    for exception, handler in exception_handlers.items():
        api.add_exception_handler(exception, handler)
    return api


def _read_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def read(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, *args, **kwargs)

    return require_safe(read)
