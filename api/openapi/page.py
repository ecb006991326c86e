"""The document for people: Swagger UI in a page of ours, everything from this host."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

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
