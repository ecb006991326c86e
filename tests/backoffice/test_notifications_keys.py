# ruff: noqa: F401, F811 (fixtures, imported and asked for by name)
"""API keys in the back office: made, shown once, revoked, never edited."""

import re

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command

from api.keys import authenticate, create_key, revoke_key
from api.models import ApiKey
from api.scopes import GIVES
from notifications.models import HistoryEntry
from tests.backoffice.notifications_fixtures import admin, page_of, people, said, text_of, url

LIST, ADD = "api_apikey_changelist", "api_apikey_add"


@pytest.fixture
def shop(db) -> ApiKey:
    return create_key(name="Shop", scopes=["storefront"])[0]


def test_a_new_key_is_shown_once(people):
    root = people["superuser"]
    answer = root.post(url(ADD), {"name": " Shop ", "scopes": ["manage", "storefront"]})
    assert answer.status_code == 200
    (key,) = set(re.findall(r"tidings_[\w-]{20,}", answer.content.decode()))
    record = ApiKey.objects.get()
    assert authenticate(key) == record
    assert (record.name, record.scopes) == ("Shop", ["storefront", "manage"])
    assert "no-store" in answer["Cache-Control"]
    for page in (url(LIST), page_of(record)):
        assert key not in root.get(page).content.decode()


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


def history() -> list[tuple[str, str, str]]:
    """Oldest first."""
    return [(entry.action, entry.by, entry.sentence) for entry in HistoryEntry.objects.order_by("pk")]


def test_who_made_and_who_revoked_a_key_is_in_the_history(people, admin):
    admin.post(url(ADD), {"name": "Script", "scopes": ["manage"]})
    key = ApiKey.objects.get()
    people["superuser"].post(page_of(key, "revoke"))
    people["superuser"].post(page_of(key, "revoke"))
    made = ("key_made", "notification", f"The API key Script ({key.prefix}…) was made, with the scope manage.")
    revoked = ("key_revoked", "root", f"The API key Script ({key.prefix}…) was revoked.")
    assert history() == [made, revoked]
    listed = text_of(admin.get(url("notifications_historyentry_changelist")))
    assert made[2] in listed and revoked[2] in listed
    page = text_of(admin.get(page_of(key)))
    assert made[2] in page and revoked[2] in page and "Made by notification" in page


def test_a_key_made_by_the_command_is_in_the_history(admin, capsys):
    call_command("create_api_key", "Shop", scopes=["storefront", "manage"])
    (key,) = capsys.readouterr().out.split()
    record = authenticate(key)
    ((action, by, sentence),) = history()
    assert (action, by.endswith(" (command line)")) == ("key_made", True)
    assert sentence == f"The API key Shop ({record.prefix}…) was made, with the scopes storefront and manage."
    assert key not in sentence
    assert sentence in text_of(admin.get(page_of(record)))


def test_a_refused_key_leaves_no_entry(admin):
    admin.post(url(ADD), {"name": "", "scopes": ["manage"]})
    assert history() == []


def test_what_the_log_of_django_has_of_older_keys_is_still_shown(admin, shop):
    LogEntry.objects.create(
        user=User.objects.create_user("olga"),
        content_type=get_content_type_for_model(shop),
        object_id=str(shop.pk),
        action_flag=CHANGE,
        change_message="Renamed long ago.",
    )
    assert "Renamed long ago. olga" in text_of(admin.get(page_of(shop)))


def test_the_maker_of_a_key_must_be_allowed_what_its_scope_gives(people, admin):
    page = admin.get(url(ADD)).content.decode()
    assert 'value="manage"' in page and 'value="storefront"' not in page
    assert "A key of the scope storefront can make contacts and orders" in page
    for scopes in (["storefront"], ["manage", "storefront"]):
        answer = admin.post(url(ADD), {"name": "Refunds", "scopes": scopes})
        assert answer.status_code == 403
        assert "A key of the scope storefront can make contacts and orders" in text_of(answer)
    assert not ApiKey.objects.exists()
    assert history() == []


@pytest.mark.parametrize(("scope", "missing"), [(scope, name) for scope, names in GIVES.items() for name in names])
def test_each_permission_that_a_scope_gives_is_asked_for(sign_in, scope, missing):
    client = sign_in("api.add_apikey", "api.view_apikey", *(name for name in GIVES[scope] if name != missing))
    assert client.post(url(ADD), {"name": "Key", "scopes": [scope]}).status_code == 403
    assert client.get(url(ADD)).status_code == 403
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("scope", GIVES)
def test_whoever_has_them_all_makes_the_key(sign_in, scope):
    client = sign_in("api.add_apikey", "api.view_apikey", *GIVES[scope])
    assert client.post(url(ADD), {"name": "Key", "scopes": [scope]}).status_code == 200
    assert ApiKey.objects.get().scopes == [scope]


def test_order_staff_who_administer_notifications_as_well_make_both(people, admin):
    User.objects.get(username="notification").groups.add(Group.objects.get(name="Order staff"))
    assert admin.post(url(ADD), {"name": "Key", "scopes": ["manage", "storefront"]}).status_code == 200
    assert ApiKey.objects.get().scopes == ["storefront", "manage"]


def test_no_other_path_makes_a_key_for_somebody_who_may_not(people):
    vera = people.user("Viewers")
    with pytest.raises(PermissionDenied, match="A key of the scope manage can change"):
        create_key(name="Mine", scopes=["manage"], made_by=vera)
    assert not ApiKey.objects.exists()


def test_a_key_whose_maker_lost_the_permission_goes_on_and_says_so(people, admin):
    admin.post(url(ADD), {"name": "Script", "scopes": ["manage"]})
    key, root = ApiKey.objects.get(), people["superuser"]
    warning = "may no longer do all that a key of the scope manage can do"
    assert warning not in text_of(root.get(page_of(key)))
    assert "Maker may no longer do this" not in text_of(root.get(url(LIST)))
    User.objects.get(username="notification").groups.clear()
    assert warning in text_of(root.get(page_of(key)))
    assert "Maker may no longer do this" in text_of(root.get(url(LIST)))
    revoke_key(key)
    assert warning not in text_of(root.get(page_of(key)))
    User.objects.get(username="notification").delete()
    assert ApiKey.objects.get().made_by is None
