"""Handlers that turn the rooms' exceptions into problems. See `exception_handlers` at the end."""

from collections.abc import Callable
from typing import Any, NoReturn

from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja.errors import HttpError
from ninja.errors import ValidationError as UnfitRequest

from api.field_errors import FieldError, body_errors, parameter_errors
from api.parsing import parse_object
from api.problems import DETAILS, Problem
from notifications.errors import Conflict as NotificationsConflict
from orders.errors import Conflict as OrdersConflict

Handler = Callable[[HttpRequest, Any], HttpResponse]


def _refused(_request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja wraps whatever its parser raises; the cause is ours.
    problem = error.__cause__ if isinstance(error.__cause__, Problem) else error
    if not isinstance(problem, Problem):
        problem = Problem(error.status_code, error.message)
    return problem.response()


def _unfit(request: HttpRequest, error: UnfitRequest) -> HttpResponse:
    """Pydantic refused a part of the request. `loc` begins with where it was: path, query, header or body."""
    by_source: dict[str, list[dict[str, Any]]] = {}
    for one in error.errors:
        source, *loc = one["loc"]
        by_source.setdefault(source, []).append({**one, "loc": tuple(loc)})
    if "path" in by_source:
        return _missing(request, error)
    of_body = by_source.pop("body", [])
    fields = [field for errors in by_source.values() for field in parameter_errors(errors)]
    if of_body:
        # An operation takes one body; the first part of `loc` is the name of the function's parameter for it.
        document = parse_object(request.body) if request.body else None
        fields += body_errors([{**one, "loc": one["loc"][1:]} for one in of_body], document)
    return Problem.of_fields(fields).response()


def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    """A rule of the house, kept by a service: `ValidationError({"items[0].sku": ["Sentence."]})`."""
    by_field = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    return Problem.of_fields(
        [
            FieldError("" if field == NON_FIELD_ERRORS else field, message)
            for field, messages in by_field.items()
            for message in messages
        ]
    ).response()


def _conflict(_request: HttpRequest, error: Exception) -> HttpResponse:
    return Problem(409, str(error)).response()


def _missing(_request: HttpRequest, _error: Exception) -> HttpResponse:
    return Problem(404, DETAILS[404]).response()


def _broken_off(_request: HttpRequest, _error: Exception) -> HttpResponse:
    return Problem(400, DETAILS[400]).response()


def _unforeseen(_request: HttpRequest, error: Exception) -> NoReturn:
    """Let Django log it with its traceback, and undo what is open; the middleware words the answer."""
    raise error


exception_handlers: dict[type[Exception], Handler] = {
    HttpError: _refused,
    UnfitRequest: _unfit,
    ValidationError: _invalid,
    OrdersConflict: _conflict,
    NotificationsConflict: _conflict,
    ObjectDoesNotExist: _missing,
    Http404: _missing,
    UnreadablePostError: _broken_off,
    Exception: _unforeseen,
}
