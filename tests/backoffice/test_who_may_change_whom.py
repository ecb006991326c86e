"""Nobody gets more than they have through the accounts: superusers and groups are the business of superusers."""

import re

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"
EVERYTHING = [f"{action}_{model}" for action in ("view", "add", "change", "delete") for model in ("user", "group")]
PASSWORD = "a tower of 7 green hats"


@pytest.fixture
def root(db) -> User:
    return User.objects.create_superuser("root", "root@example.com", PASSWORD)


@pytest.fixture
def administrators() -> Group:
    return Group.objects.get(name="Notification administrators")


@pytest.fixture
def support(db) -> User:
    """May do to users and groups whatever a permission allows, and nothing else."""
    user = User.objects.create_user("support", "support@example.com", PASSWORD, is_staff=True)
    group = Group.objects.create(name="Support")
    group.permissions.set(Permission.objects.filter(content_type__app_label="auth", codename__in=EVERYTHING))
    user.groups.add(group)
    return user


@pytest.fixture
def client(support) -> Client:
    client = Client()
    client.force_login(support)
    return client


@pytest.fixture
def nora(db, administrators) -> User:
    """A notification administrator."""
    nora = User.objects.create_user("nora", "nora@example.com", PASSWORD, is_staff=True)
    nora.groups.add(administrators)
    return nora


@pytest.fixture
def vera(db) -> User:
    """Staff with no right at all."""
    return User.objects.create_user("vera", "vera@example.com", PASSWORD, is_staff=True)


def page(user: User, action: str = "change") -> str:
    return f"{USERS}{user.pk}/{action}/"


def state(*users: User) -> list[object]:
    """All that matters about them; None of one that was deleted."""
    found = User.objects.in_bulk([user.pk for user in users])
    return [
        None
        if (user := found.get(each.pk)) is None
        else [
            *(user.username, user.email, user.password, user.is_active, user.is_staff, user.is_superuser),
            *(sorted(user.groups.values_list("name", flat=True)), user.user_permissions.count()),
        ]
        for each in users
    ]


def form(user: User, **changes: object) -> dict[str, object]:
    """What a browser sends for this user, and what an attacker adds to it."""
    return {"username": user.username, "email": user.email, "is_active": "on", "is_staff": "on", **changes}


def everything() -> dict[str, object]:
    """What would make somebody mighty."""
    return {
        "is_superuser": "on",
        "groups": list(Group.objects.values_list("pk", flat=True)),
        "user_permissions": list(Permission.objects.values_list("pk", flat=True)),
    }


def test_nobody_makes_themselves_or_others_mightier(client, support, vera):
    for user in (support, vera):
        before = state(user)
        answer = client.post(page(user), form(user, **everything()))
        assert answer.status_code == 302
        assert state(user) == before
    new = {"username": "evil", "is_staff": "on", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post(f"{USERS}add/", {**new, "usable_password": "true", **everything()})
    assert answer.status_code == 302
    evil = User.objects.get(username="evil")
    assert (evil.is_superuser, evil.groups.count(), evil.user_permissions.count()) == (False, 0, 0)


def test_a_superuser_does_all_that(root, vera):
    client = Client()
    client.force_login(root)
    client.post(page(vera), form(vera, **everything()))
    vera.refresh_from_db()
    assert (vera.is_superuser, vera.groups.count()) == (True, Group.objects.count())


def test_superusers_are_not_there_for_others(client, root):
    before = state(root)
    LogEntry.objects.create(
        user=root, content_type=get_content_type_for_model(root), object_id=root.pk, action_flag=ADDITION
    )
    for query in ("", "?q=root", "?is_superuser__exact=1", "?is_staff__exact=1", "?all="):
        assert "root@example.com" not in client.get(f"{USERS}{query}", follow=True).content.decode()
    for action in ("change", "delete", "history", "password"):
        for query in ("", "?_popup=1", "?_to_field=id"):
            for answer in (
                client.get(page(root, action) + query),
                client.post(page(root, action) + query, form(root, email="evil@example.com", post="yes")),
                client.post(page(root, action), {"password1": "0ther-words", "password2": "0ther-words"}),
                client.post(page(root, action), {"usable_password": "false", "unset-password": "yes"}),
            ):
                assert answer.status_code in {302, 403, 404}
                assert b"root@example.com" not in answer.content
    assert client.get("/admin/autocomplete/?term=root&app_label=auth&model_name=user&field_name=x").status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"}
    client.post(USERS, selected)
    assert state(root) == before


def test_groups_are_not_there_for_others(client, administrators):
    permissions = set(administrators.permissions.all())
    own = Group.objects.get(name="Support")
    for group in (own, administrators):
        for action in ("change", "delete", "history"):
            path = f"{GROUPS}{group.pk}/{action}/"
            assert client.get(path).status_code == 403
            every = list(Permission.objects.values_list("pk", flat=True))
            assert client.post(path, {"name": "Mine", "permissions": every, "post": "yes"}).status_code == 403
    for path in (GROUPS, f"{GROUPS}add/", f"{GROUPS}add/?_popup=1"):
        assert client.get(path).status_code == client.post(path, {"name": "Mine"}).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [administrators.pk], "post": "yes"}
    assert client.post(GROUPS, selected).status_code == 403
    assert set(administrators.permissions.all()) == permissions
    assert own.permissions.count() == len(EVERYTHING)
    assert Group.objects.count() == 4
    menu = client.get("/admin/").content.decode()
    assert f'href="{USERS}"' in menu and f'href="{GROUPS}"' not in menu
    assert GROUPS not in client.get("/admin/auth/").content.decode()


def test_what_is_for_superusers_is_not_on_the_pages_of_users(client, vera, support):
    for path in (page(vera), page(support), f"{USERS}add/"):
        names = set(re.findall(r'name="(\w+)"', client.get(path).content.decode()))
        assert "is_staff" in names
        assert names.isdisjoint({"is_superuser", "groups", "user_permissions"}), path
    listed = client.get(USERS).content.decode()
    assert "vera@example.com" in listed
    assert "is_superuser" not in listed and "Support" not in listed.replace("support", "")
    for query in ("groups__id__exact=1", "groups__permissions__codename=add_user", "is_superuser__exact=1"):
        answer = client.get(f"{USERS}?{query}")
        assert (answer.status_code, "vera@example.com" in answer.content.decode()) != (200, True), query


@pytest.mark.parametrize("active", [True, False])
def test_nobody_becomes_a_colleague_who_may_do_more(client, nora, active):
    User.objects.filter(pk=nora.pk).update(is_active=active)
    before = state(nora)
    for action, data in (
        ("change", form(nora, email="support@example.com")),
        ("password", {"password1": "0ther-words", "password2": "0ther-words", "usable_password": "true"}),
        ("delete", {"post": "yes"}),
    ):
        assert client.post(page(nora, action), data).status_code == 403, action
    selected = {"action": "delete_selected", "_selected_action": [nora.pk], "post": "yes"}
    assert client.post(USERS, selected).status_code == 403
    assert state(nora) == before
    shown = client.get(page(nora))
    assert shown.status_code == 200
    assert "nora@example.com" in shown.content.decode()
    assert 'name="email"' not in shown.content.decode() and "pbkdf2" not in shown.content.decode()


def test_a_permission_given_to_the_person_counts_as_one_of_a_group(client, vera):
    vera.user_permissions.add(Permission.objects.get(codename="change_channel"))
    before = state(vera)
    assert client.post(page(vera), form(vera, email="support@example.com")).status_code == 403
    assert state(vera) == before


def test_colleagues_who_may_do_no_more_are_looked_after(client, vera):
    assert client.post(page(vera), form(vera, email="new@example.com")).status_code == 302
    new = {"password1": "0ther-words", "password2": "0ther-words", "usable_password": "true"}
    assert client.post(page(vera, "password"), new).status_code == 302
    vera.refresh_from_db()
    assert (vera.email, vera.check_password("0ther-words")) == ("new@example.com", True)
    assert client.post(page(vera, "delete"), {"post": "yes"}).status_code == 302
    assert state(vera) == [None]
