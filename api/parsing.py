"""Parses the body (JSON) and the query (text) of a request.

Stricter than `json.loads` where leniency would come back as an error of ours, or as a number that was not sent.
"""

import inspect
import json
import math
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import wraps
from itertools import islice
from typing import Any, NoReturn

from django.http import HttpRequest, HttpResponse
from django.http.request import QueryDict
from django.utils.datastructures import MultiValueDict
from ninja.operation import Operation
from ninja.parser import Parser

from api.field_errors import MAX_ERRORS, FieldError, field_path
from api.problems import Problem
from orders.text import UNCLEAN_MESSAGE, clean, is_clean

MAX_DEPTH = 64
# As many digits as Python reads of a whole number: with more, what is done to a number may take seconds.
MAX_NUMBER_LENGTH = 4300


class StrictParser(Parser):
    """Ninja's hook for reading a request. It is asked for a body only where one is there and wanted."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        document: dict[str, Any] = _seen(parse_object(request.body))
        return document

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        """The parameters as ninja takes them; a 422 `Problem` for text that must not reach the database."""
        if isinstance(data, QueryDict):
            _refuse(field_path((key,)) for key, values in data.lists() if not all(map(is_clean, [key, *values])))
        return super().parse_querydict(data, list_fields, request)


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object (RFC 8259) in UTF-8; a byte order mark is ignored, as section 8.1 allows.

    Numbers: a whole one is an `int`, one with a fraction a `Decimal`, one with an exponent a `float`, so that fields
    of money can distinguish them. Raises a 400 `Problem` for what is not JSON, is nested deeper than 64 levels,
    repeats a member (which the RFC leaves open; picking one of the two would be a guess), or holds a number that is
    not finite or not readable; 422 for JSON that is not an object, and for text, a member's name included, that holds
    what `orders.text` does not let in, naming where.
    """
    try:
        document = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_members,
            parse_float=_fraction,
            parse_constant=_not_a_number,
        )
    except UnicodeDecodeError as error:
        raise Problem(400, "The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise Problem(400, f"The body is not JSON: line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # Python reads whole numbers of at most sys.get_int_max_str_digits() digits
        raise _too_long() from error
    if not isinstance(document, dict):
        raise Problem.of_fields([FieldError("", "The body must be a JSON object.")])
    _refuse(_unclean(document))
    return document


def _seen(value: Any) -> Any:
    """The document with its texts as they are judged: see `orders.text.clean`. Names of members stay."""
    if isinstance(value, dict):
        return {name: _seen(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_seen(member) for member in value]
    return clean(value) if isinstance(value, str) else value


def _unclean(document: dict[str, Any]) -> Iterator[str]:
    """The paths of unclean text, in the document's order. Raises a 400 `Problem` where it is nested too deeply.

    It holds one iterator for each level and the path to where it is, however many values there are.
    """
    path: list[str | int] = []
    levels = [_entries(document)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            del path[-1:]
            continue
        key, value = entry
        if not all(is_clean(part) for part in entry if isinstance(part, str)):
            yield field_path((*path, key))
        if isinstance(value, dict | list):
            if len(levels) >= MAX_DEPTH:
                raise _too_deep()
            path.append(key)
            levels.append(_entries(value))


def _entries(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem(400, "An object in the body has the same member twice.")
    return members


def _fraction(literal: str) -> Decimal | float:
    if len(literal) > MAX_NUMBER_LENGTH:
        raise _too_long()
    if "e" not in literal.lower():
        return Decimal(literal)
    number = float(literal)
    if not math.isfinite(number):
        raise Problem(400, "The body holds a number that is too large.")
    return number


def _not_a_number(literal: str) -> NoReturn:
    raise Problem(400, f"The body is not JSON: {literal} is not a number there.")


def _too_deep() -> Problem:
    return Problem(400, f"The body is nested deeper than {MAX_DEPTH} levels.")


def _too_long() -> Problem:
    return Problem(400, "The body holds a number that is too long.")


def _refuse(fields: Iterable[str]) -> None:
    """A 422 `Problem` for the first of them, if there are any."""
    refused = [FieldError(field, UNCLEAN_MESSAGE) for field in islice(fields, MAX_ERRORS)]
    if refused:
        raise Problem.of_fields(refused)


Run = Callable[..., HttpResponse]


def strict_query(run: Run) -> Run:
    """Wrap `Operation.run` (ninja's decorators of mode `view`): a 422 for parameters that are unknown or repeated.

    A misspelled filter that is passed over answers with everything; of two values of one, the other may be meant.
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
