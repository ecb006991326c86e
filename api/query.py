"""The query of a call: each parameter is one that the operation knows, and is given once."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja.operation import Operation

from api.field_errors import MAX_ERRORS, FieldError, field_path
from api.problems import Problem
from api.text import UNCLEAN_MESSAGE, is_clean

Run = Callable[..., HttpResponse]


def strict_query(run: Run) -> Run:
    """Wrap `Operation.run` (ninja's decorators of mode `view`): a 422 for parameters that are unknown or repeated.

    A misspelled filter that is passed over answers with everything; of two values of one, somebody meant the other.
    """
    operation: Operation = inspect.unwrap(run).__self__

    @wraps(run)
    def checked(request: HttpRequest, **path_parameters: Any) -> HttpResponse:
        errors = _errors(operation, request) if request.META.get("QUERY_STRING") else []
        if not errors:
            return run(request, **path_parameters)
        # Who calls is asked first, as everywhere.
        refused: HttpResponse | None = operation._run_checks(request)
        return Problem.of_fields(errors).response() if refused is None else refused

    return checked


def _errors(operation: Operation, request: HttpRequest) -> list[FieldError]:
    models = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    known = {name for model in models for name in model.__ninja_flatten_map__}
    lists = {name for model in models for name in getattr(model, "__ninja_collection_fields__", ())}
    errors = []
    for name, values in request.GET.lists():
        if not all(map(is_clean, [name, *values])):
            errors.append(FieldError(field_path((name,)), UNCLEAN_MESSAGE))
        elif name not in known:
            errors.append(FieldError(field_path((name,)), "This parameter is unknown."))
        elif len(values) > 1 and name not in lists:
            errors.append(FieldError(field_path((name,)), "This parameter is given more than once."))
        if len(errors) == MAX_ERRORS:
            break
    return errors
