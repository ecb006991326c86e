"""Who may do what: every address for every role by GET and by POST, every operation of the API with every kind of key.

`tests/backoffice/access/table.py` says what is to come of it. An address that has no line there fails, and so does a
line without an address.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client

from api.keys import create_key, revoke_key
from benchmarks.fill import fill
from demo.outbox import keep
from tests.backoffice.access.addresses import operations, path_of, path_of_operation, routes
from tests.backoffice.access.table import KEYS, OPERATIONS, ROLES, ROUTES
from tests.demo.conftest import urls_of
from tests.parametrizing import quick_first

METHODS = ("GET", "POST")
# What somebody with this permission may do to accounts, as a group of their own would give it.
ACCOUNTS = [f"{action}_{model}" for action in ("view", "add", "change", "delete") for model in ("user", "group")]
GROUPS = {"viewers": "Viewers", "orders": "Order staff", "notifications": "Notification administrators"}


@pytest.fixture
def filled(db: None, settings: Any) -> None:
    """One record at least of everything that has pages."""
    settings.ROOT_URLCONF = urls_of(demo=True)
    settings.ALLOWED_HOSTS = ["testserver"]
    fill(200)
    create_key(name="Shop", scopes=["storefront"])
    message = EmailMultiAlternatives("A mail", "Hello.", "tidings@example.com", ["ada@example.com"])
    message.attach_alternative("<p>Hello.</p>", "text/html")
    keep(message)
    group = Group.objects.create(name="Accounts")
    group.permissions.set(Permission.objects.filter(content_type__app_label="auth", codename__in=ACCOUNTS))


def person(role: str) -> Client:
    client = Client(raise_request_exception=False)
    if role != "anonymous":
        user = User.objects.create_user(role, is_staff=role != "customer", is_superuser=role == "superuser")
        if name := {**GROUPS, "accounts": "Accounts"}.get(role):
            user.groups.add(Group.objects.get(name=name))
        client.force_login(user)
    User.objects.create_user("vera")  # the latest, so whom the pages of accounts are asked about: may do nothing
    return client


def outcome(answer: HttpResponseBase) -> str:
    """A letter; see the table."""
    if answer.status_code == 500:
        return "!"
    if answer.status_code == 302 and answer["Location"].startswith("/admin/login/"):
        return "L"
    return {401: "U", 403: "F", 404: "N", 405: "M"}.get(answer.status_code, "+")


def undone(ask: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Whatever it changes is taken back, so that the next one finds everything as it was."""
    with transaction.atomic():
        answer = ask()
        transaction.set_rollback(True)
    return answer


def test_every_address_has_a_line_and_every_line_an_address():
    assert sorted(ROUTES) == routes()
    assert sorted(OPERATIONS) == operations()
    assert {len(line) for lines in ROUTES.values() for line in lines} == {len(ROLES)}
    assert {len(line) for line in OPERATIONS.values()} == {len(KEYS)}


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_the_table_says(filled, role):
    client = person(role)
    cookies = dict(client.cookies)
    place, wrong = ROLES.index(role), {}
    for route, lines in ROUTES.items():
        path = path_of(route)
        for method, line in zip(METHODS, lines, strict=True):
            client.cookies.clear()
            client.cookies.update(cookies)
            answer = undone(lambda method=method, path=path: client.generic(method, path))
            if (found := outcome(answer)) != line[place]:
                wrong[f"{method} {route}"] = f"{found} in the place of {line[place]}"
    assert wrong == {}


@pytest.mark.parametrize("kind", quick_first(KEYS[::-1], 2))
def test_each_kind_of_key_may_do_what_the_table_says(filled, kind):
    place, wrong = KEYS.index(kind), {}
    client, headers = Client(raise_request_exception=False), {}
    if kind == "session":
        client.force_login(User.objects.create_superuser("root"))
    elif kind != "none":
        scopes = [kind] if kind in {"storefront", "manage"} else ["storefront", "manage"]
        record, key = create_key(name="Key", scopes=scopes)
        if kind == "revoked":
            revoke_key(record)
        headers["Authorization"] = f"Bearer {'tidings_wrong' if kind == 'wrong' else key}"
    for operation, line in OPERATIONS.items():
        path, method = path_of_operation(operation), operation.split()[0]
        answer = undone(
            lambda method=method, path=path: client.generic(
                method, path, b"" if method == "GET" else b"{}", content_type="application/json", headers=headers
            )
        )
        if (found := outcome(answer)) != line[place]:
            wrong[operation] = f"{found} in the place of {line[place]}"
    assert wrong == {}
