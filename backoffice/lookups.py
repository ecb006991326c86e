"""What the address of a list may ask for."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest


class ListedLookups:
    """Of a `ModelAdmin`: its list is narrowed by what `list_filter` names, and by nothing else.

    Django's own takes any lookup of any column, and those of some other tables: a regular expression that PostgreSQL
    works at for minutes, or one letter after the other of what nobody is shown. What is not listed is a 400.
    """

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        model_admin: Any = self
        filters = model_admin.get_list_filter(request) if request else model_admin.list_filter
        listed = {name for each in filters for name in _parameters(each, model_admin.model)}
        return lookup in listed and super().lookup_allowed(lookup, value, request)  # type: ignore[misc]


def _parameters(list_filter: Any, model: Any) -> set[str]:
    """What a filter puts into the address, and that it is exactly so."""
    if isinstance(list_filter, type) and issubclass(list_filter, SimpleListFilter):
        return {str(list_filter.parameter_name), f"{list_filter.parameter_name}__exact"}
    name = list_filter[0] if isinstance(list_filter, tuple | list) else list_filter
    found = {name, f"{name}__exact", f"{name}__isnull"}
    try:
        related = model._meta.get_field(name).related_model
    except FieldDoesNotExist:
        related = None
    return found | {f"{name}__{related._meta.pk.name}__exact"} if related else found
