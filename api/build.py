"""The shell of the API, for v1 and for the tests of the conventions alike."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import ValidationError, ValidationErrorContext
from ninja.openapi.docs import DocsBase
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.renderers import JSONRenderer
from ninja.responses import NinjaJSONEncoder

from api.field_errors import MAX_ERRORS
from api.handlers import exception_handlers
from api.idempotency import idempotent
from api.openapi.document import Document
from api.parsing import StrictParser, strict_query
from notifications.events import EventType
from notifications.public_links import bare
from orders.representations import time_text


class AnswerEncoder(NinjaJSONEncoder):
    """Times as RFC 3339 UTC with six digits and `Z` (Django's encoder keeps three); money with two decimals."""

    def default(self, o: Any) -> Any:
        if isinstance(o, datetime):
            return time_text(o)
        if isinstance(o, Decimal):
            return f"{o:.2f}"
        return super().default(o)


class AnswerRenderer(JSONRenderer):
    """Renders answers with `AnswerEncoder`."""

    encoder_class = AnswerEncoder


_SETTINGS: dict[str, Any] = {
    "layout": "BaseLayout",
    "deepLinking": True,
    # The operations are listed and the models folded: with all of them open a browser works for seconds.
    "docExpansion": "list",
    "defaultModelsExpandDepth": 0,
    "defaultModelExpandDepth": 1,
    # The online validator is the one thing that Swagger UI would ask of another host.
    "validatorUrl": None,
    "persistAuthorization": False,
}


class DocsPage(DocsBase):
    """Needs no token against forgery: the API takes no cookies."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **path_parameters: Any) -> HttpResponse:
        url = self.get_openapi_url(api, path_parameters)
        settings = json.dumps({**_SETTINGS, "url": url}, indent=1)
        return render(request, "api/docs.html", {"api": api, "swagger_settings": settings, "document_url": url})


# The page may load from this host alone. Swagger's page sets styles and shows images of its own.
_OWN_HOST_ONLY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ConventionalAPI(NinjaAPI):
    """A `NinjaAPI` with the complete `Document`, which names each operation by its function.

    `event_types` are those that the document describes as webhooks.
    """

    def __init__(self, *, event_types: Iterable[EventType] = (), **options: Any) -> None:
        super().__init__(**options)
        self.event_types = tuple(event_types)
        self._documents: dict[str, Document] = {}

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """The same object each time: it takes a tenth of a second to make, and everybody may ask for it."""
        if path_prefix is None:
            # The servers have the sub-path already, if there is one.
            path_prefix = bare(self.get_root_path(path_params or {}))
        if path_prefix not in self._documents:
            self._documents[path_prefix] = Document(self, path_prefix, self.event_types)
        return self._documents[path_prefix]

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        """Make ninja's error of the first errors of each part of a request, without the refused values."""
        found: list[dict[str, Any]] = []
        for context in error_contexts:
            model = context.model
            errors = context.pydantic_validation_error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
            for error in errors:
                loc = model.__ninja_flatten_map_reverse__.get(error["loc"], error["loc"])
                found.append({**error, "loc": (model.__ninja_param_source__, *loc)})
        return ValidationError(found)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


def build_api(
    *,
    title: str,
    version: str,
    namespace: str,
    description: str = "",
    public_url: str = "",
    sub_path: str = "",
    contact: dict[str, str] | None = None,
    tags: Iterable[dict[str, str]] = (),
    event_types: Iterable[EventType] = (),
) -> NinjaAPI:
    """An API that keeps the conventions, without routers. `namespace` is the one of its URL names.

    Its document is at `openapi.json` and for people at `docs`, both open to everybody; the page loads everything
    from this host. `public_url` is where the installation is reached, if that is known, `sub_path` below which path of
    its host; `contact` whom to ask.
    """
    api = ConventionalAPI(
        title=title,
        version=version,
        description=description,
        servers=[
            {"url": sub_path or "/", "description": "Where this document comes from"},
            *([{"url": public_url, "description": "The public address"}] if public_url else []),
        ],
        openapi_extra={"tags": list(tags), "info": {"contact": contact}} if contact else {"tags": list(tags)},
        urls_namespace=namespace,
        docs=DocsPage(),
        docs_decorator=_page,
        parser=StrictParser(),
        renderer=AnswerRenderer(),
        event_types=event_types,
    )
    api.add_decorator(strict_query, mode="view")
    api.add_decorator(idempotent, mode="view")
    for exception, handler in exception_handlers.items():
        api.add_exception_handler(exception, handler)
    return api


def _page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Wrap the view of the document or its page: GET alone, with a policy that keeps its page to this host."""

    def read(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Content-Security-Policy"] = _OWN_HOST_ONLY
        return response

    return require_safe(read)
