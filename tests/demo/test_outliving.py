"""The demo's login opens nothing in a database that is used for real."""

from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client

from api.keys import create_key
from backoffice.accounts.demo_login import DEMO_ADDRESS, DEMO_LOGIN, NotOfTheDemo

NAME, PASSWORD = DEMO_LOGIN


@pytest.fixture
def login(db) -> User:
    return get_user_model().objects.create_superuser(NAME, DEMO_ADDRESS, PASSWORD)


def may_log_in(name: str, password: str) -> bool:
    client = Client()
    answer = client.post("/admin/login/", {"username": name, "password": password})
    inside = client.get("/admin/").status_code == 200
    assert inside == (answer.status_code == 302)
    return inside


def checked() -> str:
    said = StringIO()
    call_command("check", stdout=said, stderr=said)
    return said.getvalue()


def test_in_the_demo_it_logs_in_and_nothing_is_said(login):
    assert may_log_in(NAME, PASSWORD)
    assert "demo" not in checked()


def test_without_the_demo_it_is_refused_and_the_check_says_so(login, settings):
    settings.DEMO = False
    assert not may_log_in(NAME, PASSWORD)
    said = checked()
    assert "The demo's login admin is in this database, and everybody knows its password." in said
    assert "manage.py changepassword admin" in said
    assert "API keys" not in said


@pytest.mark.parametrize("changes", [{"username": "boss"}, {"email": "boss@example.com"}, {"is_superuser": False}])
def test_it_is_told_by_its_password(login, settings, changes):
    User.objects.filter(pk=login.pk).update(**changes)
    settings.DEMO = False
    assert not may_log_in(changes.get("username", NAME), PASSWORD)
    assert "The demo's login" in checked()


def test_under_another_name_and_without_its_rights_it_is_refused_as_well(login, settings):
    User.objects.filter(pk=login.pk).update(username="boss", is_superuser=False)
    settings.DEMO = False
    assert not may_log_in("boss", PASSWORD)


def test_a_session_of_the_demo_ends_with_it(login, settings):
    client = Client()
    client.force_login(login)
    assert client.get("/admin/").status_code == 200
    settings.DEMO = False
    assert client.get("/admin/").status_code == 302
    assert client.post("/admin/password_change/", {"old_password": PASSWORD}).status_code == 302
    login.refresh_from_db()
    assert login.check_password(PASSWORD)


def test_the_keys_made_with_it_are_named(login, settings):
    record, _ = create_key(name="Shop", scopes=["storefront"], made_by=login)
    create_key(name="Other", scopes=["storefront"])
    settings.DEMO = False
    said = checked()
    assert f"Revoke the API keys that were made with it: Shop ({record.prefix}…)." in said
    assert "Other" not in said


def test_with_a_password_of_its_own_it_is_somebodys_account(login, settings):
    login.set_password("a tower of 7 green hats")
    login.save()
    settings.DEMO = False
    assert may_log_in(NAME, "a tower of 7 green hats")
    assert not may_log_in(NAME, PASSWORD)
    assert "The demo's login" not in checked()


def test_others_log_in_as_ever(login, settings):
    User.objects.create_superuser("root", "root@example.com", "a tower of 7 green hats")
    settings.DEMO = False
    assert may_log_in("root", "a tower of 7 green hats")


def test_nobody_chooses_its_password(db):
    with pytest.raises(ValidationError, match="Everybody knows this password"):
        NotOfTheDemo().validate(PASSWORD)
    NotOfTheDemo().validate("a tower of 7 green hats")
