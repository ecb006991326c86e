# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""The address of a list asks for what the list filters by, and for nothing else."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse

from backoffice.notifications.log_admin import LogAdmin
from tests.backoffice.notifications_fixtures import people

LOOKUPS = ["exact", "iexact", "contains", "startswith", "regex", "iregex", "in", "gt", "isnull", "range", "search"]
ELSEWHERE = [
    *("contact__email__regex", "contact__orders__contact__email", "user__password__startswith", "password__startswith"),
    *("order__contact__email__iregex", "user__username", "groups__name__regex", "groups__permissions__codename"),
    *("user_permissions__codename", "logentry__user__password__regex", "nothing", "nothing__regex", "pk__regex"),
]


def lists() -> list[Any]:
    """Every list that Django's own `ChangeList` makes."""
    found = [each for each in admin.site._registry.values() if not isinstance(each, LogAdmin)]
    assert len(found) >= 12
    return found


def address_of(model_admin: Any) -> str:
    return reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist")


def filtered_by(model_admin: Any) -> list[str]:
    return [getattr(each, "parameter_name", each) for each in model_admin.list_filter]


def test_no_list_takes_a_lookup_of_its_columns_or_of_other_tables(people):
    root = people["superuser"]
    assert root.get(address_of(admin.site._registry[User])).status_code == 200
    for model_admin in lists():
        fields = [field.name for field in model_admin.model._meta.get_fields()]
        asked = [f"{name}__{lookup}" for name in fields for lookup in LOOKUPS] + ELSEWHERE
        for lookup in asked:
            if lookup.removesuffix("__exact").removesuffix("__isnull") in filtered_by(model_admin):
                continue
            assert not model_admin.lookup_allowed(lookup, "a"), (model_admin, lookup)
        for lookup in (f"{fields[-1]}__regex", f"{fields[0]}__iregex", *ELSEWHERE[:4]):
            answer = root.get(address_of(model_admin), {lookup: "(a+)+$"})
            # A list that is a page of its own asks for what it knows, and shows all else unfiltered.
            filtered = answer.status_code != 200 or "cl" not in (answer.context or {})
            assert answer.status_code == 400 or filtered, (model_admin, lookup)


def test_what_a_list_filters_by_is_taken(people):
    root = people["superuser"]
    for address, asked, rows in (
        (address_of(admin.site._registry[User]), {"is_superuser__exact": "1"}, 1),
        (address_of(admin.site._registry[User]), {"is_staff__exact": "1", "groups__isnull": "True"}, None),
        (address_of(admin.site._registry[User]), {"groups__id__exact": "1"}, None),
        (reverse("admin:orders_order_changelist"), {"status": "open", "source": "shop", "q": "1042"}, 0),
        (reverse("admin:orders_product_changelist"), {"kind": "physical"}, None),
        (reverse("admin:orders_order_changelist"), {"status__exact": "open"}, 0),
    ):
        answer = root.get(address, asked)
        assert answer.status_code == 200, (address, asked)
        assert rows is None or len(answer.context["cl"].result_list) == rows


def test_an_old_link_of_anybody_says_that_it_cannot_be_read(people):
    answer = people["superuser"].get(reverse("admin:orders_contact_changelist"), {"email__regex": "(a+)+$"})
    assert answer.status_code == 400
    assert "<h1>This address cannot be read</h1>" in answer.content.decode()
