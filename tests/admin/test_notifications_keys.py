# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""API keys in the back office: made, shown once, revoked, never edited."""

import re

import pytest

from config.api.keys import authenticate, create_key
from config.api.models import ApiKey
from tests.admin.notifications_fixtures import admin, page_of, people, said, text_of, url

LIST, ADD = "api_apikey_changelist", "api_apikey_add"


@pytest.fixture
def shop(db) -> ApiKey:
    return create_key(name="Shop", scopes=["storefront"])[0]


def test_a_new_key_is_shown_once(admin):
    answer = admin.post(url(ADD), {"name": " Shop ", "scopes": ["manage", "storefront"]})
    assert answer.status_code == 200
    (key,) = set(re.findall(r"tidings_[\w-]{20,}", answer.content.decode()))
    record = ApiKey.objects.get()
    assert authenticate(key) == record
    assert (record.name, record.scopes) == ("Shop", ["storefront", "manage"])
    assert "no-store" in answer["Cache-Control"]
    for page in (url(LIST), page_of(record)):
        assert key not in admin.get(page).content.decode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"name": "", "scopes": ["manage"]}, "This field is required."),
        ({"name": "Shop"}, "Choose at least one scope."),
        ({"name": "Shop", "scopes": ["everything"]}, "everything is not one of the available choices."),
        ({"name": "Sh\top", "scopes": ["manage"]}, "A name is a single line without control characters."),
    ],
)
def test_a_refused_key_is_not_made(admin, data, sentence):
    answer = admin.post(url(ADD), data)
    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert not ApiKey.objects.exists()


def test_revoking_asks_first(admin, shop):
    question = page_of(shop, "revoke")
    assert "is refused from then on" in text_of(admin.get(question))
    shop.refresh_from_db()
    assert shop.revoked_at is None

    answer = admin.post(question)
    assert (answer.status_code, answer.url) == (302, url(LIST))
    assert said(answer) == ["Shop was revoked."]
    shop.refresh_from_db()
    assert shop.revoked_at is not None
    page = text_of(admin.get(page_of(shop)))
    assert "Revoked" in page and "Revoke " not in page


def test_nothing_about_a_key_is_edited_and_none_is_deleted(people, shop):
    root = people["superuser"]
    root.post(page_of(shop), {"name": "Other", "scopes": ["manage"]})
    assert root.post(page_of(shop, "delete"), {"post": "yes"}).status_code == 403
    shop.refresh_from_db()
    assert (shop.name, shop.scopes, shop.revoked_at) == ("Shop", ["storefront"], None)


def test_only_the_permitted_make_and_revoke_keys(people, shop):
    for role in ("Viewers", "Order staff", "staff without a group"):
        assert people[role].post(url(ADD), {"name": "Mine", "scopes": ["manage"]}).status_code == 403
        assert people[role].post(page_of(shop, "revoke")).status_code == 403
    shop.refresh_from_db()
    assert shop.revoked_at is None
    assert ApiKey.objects.count() == 1


def test_what_does_not_exist_is_404(admin, shop):
    for key in ("nobody", "999999", "9" * 40):
        assert admin.get(url("api_apikey_change", key)).status_code == 404
