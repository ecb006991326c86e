"""From pydantic's errors to `{field, message}` in the words of this API."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from channels_app.text import cut
from notifications.display import counted
from orders.text import printable

# A body of 256 KiB can hold tens of thousands of wrong members; no caller reads the rest. Names of members and what a
# rule says of a value can be as long as the body.
MAX_ERRORS = 100
MAX_FIELD_LENGTH = 200
MAX_MESSAGE_LENGTH = 500

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class FieldError:
    """`field` is the member's path as in `items[0].sku`, empty for the body as a whole; `message` a sentence."""

    field: str
    message: str


def field_path(path: Iterable[str | int]) -> str:
    """Write a path: `("items", 0, "sku")` is `items[0].sku`. A long one is cut off."""
    written = ""
    for part in path:
        if len(written) > MAX_FIELD_LENGTH:
            break
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            name = printable(part[: MAX_FIELD_LENGTH + 1])
            written += f".{name}" if written else name
    return cut(written, MAX_FIELD_LENGTH)


def bounded(errors: Iterable[FieldError]) -> list[FieldError]:
    """The first `MAX_ERRORS`, none of them long, each once. No more are taken from the iterable."""
    return list(
        dict.fromkeys(
            FieldError(cut(error.field, MAX_FIELD_LENGTH), cut(error.message, MAX_MESSAGE_LENGTH))
            for error in islice(errors, MAX_ERRORS)
        )
    )


def body_errors(errors: Sequence[Mapping[str, Any]], document: Any) -> list[FieldError]:
    """Translate pydantic's errors about `document`, the body as it was read (None: there was none).

    Each `loc` is relative to the document. Where a value could be one of several types, pydantic puts the name of the
    type that it tried into `loc`; such parts are recognised by not being in the document, and left out.
    """
    if document is None:
        return [FieldError("", "A JSON body is required.")]
    return _distinct(FieldError(field_path(_path_in(document, error)), message(error)) for error in errors)


def parameter_errors(errors: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Translate pydantic's errors about query parameters and headers, whose name is the last name in `loc`."""
    return _distinct(
        FieldError(
            field_path([next((part for part in reversed(error["loc"]) if isinstance(part, str)), "")]), message(error)
        )
        for error in errors
    )


def _path_in(document: Any, error: Mapping[str, Any]) -> Path:
    path: Path = ()
    value = document
    for index, part in enumerate(error["loc"]):
        in_object = isinstance(value, dict) and part in value
        in_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if in_object or in_list:
            value = value[part]
            path = (*path, part)
        elif error["type"] == "missing" and index == len(error["loc"]) - 1:
            path = (*path, part)
    return path


def _distinct(errors: Iterable[FieldError]) -> list[FieldError]:
    return bounded(dict.fromkeys(errors))


def message(error: Mapping[str, Any]) -> str:
    """A sentence for one of pydantic's errors; its own words where there are none here."""
    context = error.get("ctx", {})
    if error["type"] in _MESSAGES:
        return _MESSAGES[error["type"]](context)
    if error["type"] in {"value_error", "assertion_error"}:
        return _sentence(str(context.get("error", "")) or "This value cannot be accepted")
    return _sentence(error["msg"].replace("Input should", "This should", 1))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _always(text: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _context: text


def _counted(text: str, number: str, thing: str) -> Callable[[Mapping[str, Any]], str]:
    def write(context: Mapping[str, Any]) -> str:
        return f"{text} {counted(context[number], thing)}."

    return write


def _compared(text: str, number: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: f"This must be {text} {context[number]}."


_WHOLE_NUMBER = _always("This must be a whole number.")
_NUMBER = _always("This must be a number.")
_BOOLEAN = _always("This must be true or false.")
_OBJECT = _always("This must be an object.")
_TIME = _always("This must be a time by RFC 3339, such as 2026-11-23T18:36:00Z.")
_CHOICE: Callable[[Mapping[str, Any]], str] = lambda context: f"This must be {context['expected']}."  # noqa: E731

_MESSAGES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": _always("This member is required."),
    "extra_forbidden": _always("This member is unknown."),
    "string_type": _always("This must be a string."),
    "string_too_short": lambda context: (
        "This must not be empty."
        if context["min_length"] == 1
        else f"This must have at least {context['min_length']} characters."
    ),
    "string_too_long": _counted("This must have at most", "max_length", "character"),
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "list_type": _always("This must be a list."),
    "too_short": _counted("This must have at least", "min_length", "item"),
    "too_long": _counted("This must have at most", "max_length", "item"),
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "greater_than": _compared("more than", "gt"),
    "greater_than_equal": _compared("at least", "ge"),
    "less_than": _compared("less than", "lt"),
    "less_than_equal": _compared("at most", "le"),
    "enum": _CHOICE,
    "literal_error": _CHOICE,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "timezone_aware": _always("This time needs an offset, such as Z."),
    "union_tag_not_found": lambda context: f"This needs the member {context['discriminator']}.",
    "union_tag_invalid": lambda context: (
        f"The member {context['discriminator']} must be one of {context['expected_tags']}."
    ),
}
