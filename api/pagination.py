"""Lists in pages, by cursor: `{"results": [...], "next": url or null}`."""

from collections.abc import Sequence
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from ninja import Field, Schema
from ninja.pagination import PaginationBase

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class CursorPagination(PaginationBase):
    """Newest first, by primary key descending, in one query a page and without counting.

    A cursor names the last row of its page, so rows added meanwhile neither repeat nor hide one: they are newer. It is
    signed for the list's path; any other is a 422 on `cursor`. A ready list is paged in its own order, and its cursor
    names the position reached.
    """

    class Input(Schema):
        limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many results a page has at most.")
        cursor: str | None = Field(None, description="Where the page begins: taken from the `next` of the page before.")

    class Output(Schema):
        results: list[Any]
        next: str | None = Field(description="Where the next page is; null on the last one.", examples=[None])

    items_attribute = "results"

    def paginate_queryset(
        self, queryset: QuerySet[Model] | Sequence[Any], pagination: Input, request: HttpRequest, **_params: Any
    ) -> dict[str, Any]:
        reached = _read(pagination.cursor, request)
        if isinstance(queryset, QuerySet):
            rows = queryset.order_by("-pk")
            found = list((rows if reached is None else rows.filter(pk__lt=reached))[: pagination.limit + 1])
        else:
            found = list(queryset[reached or 0 :][: pagination.limit + 1])
        results = found[: pagination.limit]
        if len(found) <= pagination.limit:
            return {"results": results, "next": None}
        last = results[-1].pk if isinstance(queryset, QuerySet) else (reached or 0) + len(results)
        return {"results": results, "next": _next_url(request, last)}


def _next_url(request: HttpRequest, reached: str | int) -> str:
    parameters = request.GET.copy()
    parameters["cursor"] = signing.dumps(reached, salt=_salt(request))
    return request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}")


def _read(cursor: str | None, request: HttpRequest) -> Any:
    """The primary key or position that a cursor names; None where there is no cursor."""
    if cursor is None:
        return None
    try:
        return signing.loads(cursor, salt=_salt(request))
    except signing.BadSignature as error:
        raise ValidationError({"cursor": ["This is not a cursor of this list."]}) from error


def _salt(request: HttpRequest) -> str:
    return f"api.pagination {request.path}"
