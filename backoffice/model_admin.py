"""Extensions of `ModelAdmin`: lists that only take their own filters, and records that are edited with care."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import connection
from django.http import HttpRequest

from backoffice.stale_forms import careful

if TYPE_CHECKING:
    # What the classes below are put before.
    from unfold.admin import ModelAdmin
else:
    ModelAdmin = object


class ListedLookups:
    """A `ModelAdmin` whose list is narrowed by the filters of `list_filter`, and by nothing else.

    Django's own takes any lookup of any column, and those of some other tables: a regular expression that PostgreSQL
    works at for minutes, or one letter after the other of what no page shows. What is not listed is a 400.
    """

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        model_admin: Any = self
        filters = model_admin.get_list_filter(request) if request else model_admin.list_filter
        listed = {name for each in filters for name in _parameters(each, model_admin.model)}
        return lookup in listed and super().lookup_allowed(lookup, value, request)  # type: ignore[misc]


def _parameters(list_filter: Any, model: Any) -> set[str]:
    """The query parameters that a filter makes."""
    if isinstance(list_filter, type) and issubclass(list_filter, SimpleListFilter):
        return {str(list_filter.parameter_name), f"{list_filter.parameter_name}__exact"}
    name = list_filter[0] if isinstance(list_filter, tuple | list) else list_filter
    found = {name, f"{name}__exact", f"{name}__isnull"}
    try:
        related = model._meta.get_field(name).related_model
    except FieldDoesNotExist:
        related = None
    return found | {f"{name}__{related._meta.pk.name}__exact"} if related else found


class CarefulAdmin(ModelAdmin):
    """Put before a `ModelAdmin`: the form that changes a record is careful, and the record locked until it is saved."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return careful(form) if obj is not None else form

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if request.method == "POST" and _changes_record(request) and connection.in_atomic_block:
            with suppress(ValidationError, ValueError):  # no id at all: below it is looked for in vain
                self.model._default_manager.select_for_update(no_key=True).filter(pk=object_id).first()
        return super().get_object(request, object_id, from_field)


def _changes_record(request: HttpRequest) -> bool:
    name = request.resolver_match.url_name if request.resolver_match else None
    return bool(name and name.endswith(("_change", "_delete")))
