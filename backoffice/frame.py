"""The frame around the pages of the back office: the shell, the way back to a page's parents, and who may do what."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.template.response import TemplateResponse

from backoffice.content_security import leave_shell

Link = tuple[str, str]  # its words, and where it leads


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """The template in the shell, with `context` beside the shell's own: `title`, `crumbs` and what the page shows."""
    context = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, template, context, status=status)


def plain_page(
    request: HttpRequest, *, status: int, title: str, text: Sequence[str], links: Sequence[Link] = ()
) -> HttpResponse:
    """A page that stands alone: `text` are its paragraphs, the first of `links` the one to take.

    Asks neither the database nor the user, so that it can be shown when those are what is broken.
    """
    leave_shell(request)
    content = get_template("error_pages/plain.html").render({"title": title, "text": text, "links": links})
    return HttpResponse(content, status=status)
