"""Whoever is given the values of a channel's extra headers leaves an entry in the history, by the API as by Reveal."""

from datetime import timedelta

import pytest
from django.utils import timezone

from api.keys import create_key
from channels_app.models import Channel
from notifications import services
from notifications.models import HistoryEntry
from tests.calling import Caller

pytestmark = pytest.mark.django_db
GIVEN = "The extra headers of Warehouse were given out by the API."


@pytest.fixture
def call(db: None) -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


@pytest.fixture
def warehouse(db: None) -> Channel:
    return services.create_channel(
        name="Warehouse", kind="postback", url="https://example.com/", headers={"X-Key": "s3cret"}, by="ada"
    )


def given() -> list[str]:
    """Who was given them, oldest first."""
    entries = HistoryEntry.objects.filter(action="revealed").order_by("pk")
    assert {entry.sentence for entry in entries} <= {GIVEN}
    return [entry.by for entry in entries]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"name": "Warehouse"}),
        ("PATCH", "", {}),
        ("POST", "/pause", {}),
        ("POST", "/resume", {}),
        ("POST", "/rotate-secret", {"expire_old": "24h"}),
    ],
)
def test_every_answer_with_the_values_leaves_an_entry(call, warehouse, method, path, body):
    answer = call(method, f"/channels/{warehouse.pk}{path}", body)
    assert answer.json()["headers"] == {"X-Key": "s3cret"}
    assert given() == ["API key Script"]
    assert "s3cret" not in "".join(HistoryEntry.objects.values_list("sentence", flat=True))


def test_what_gives_no_values_leaves_none(call, warehouse):
    assert call("GET", "/channels").json()["results"][0]["headers"] == {"X-Key": "********"}
    call("PATCH", f"/channels/{warehouse.pk}", {"headers": {"X-Key": "0ther"}})  # which it has just sent itself
    assert call("GET", "/channels/chn_nobody").status_code == 404
    shop = Caller(create_key(name="Shop", scopes=["storefront"])[1])
    assert shop("GET", f"/channels/{warehouse.pk}").status_code == 403
    bare = services.create_channel(name="Bare", kind="postback", url="https://example.com/", by="ada")
    call("GET", f"/channels/{bare.pk}")
    assert given() == []


def test_one_entry_of_a_key_stands_for_an_hour(call, warehouse):
    for _ in range(3):
        call("GET", f"/channels/{warehouse.pk}")
    assert given() == ["API key Script"]
    HistoryEntry.objects.filter(action="revealed").update(at=timezone.now() - timedelta(minutes=61))
    for _ in range(3):
        call("GET", f"/channels/{warehouse.pk}")
    assert given() == ["API key Script"] * 2


def test_another_key_of_the_same_name_leaves_its_own(call, warehouse):
    call("GET", f"/channels/{warehouse.pk}")
    Caller(create_key(name="Script", scopes=["manage"])[1])("GET", f"/channels/{warehouse.pk}")
    assert given() == ["API key Script"] * 2


def test_another_channel_leaves_its_own(call, warehouse):
    other = services.create_channel(
        name="Warehouse", kind="postback", url="https://example.com/", headers={"X-Key": "s3cret"}, by="ada"
    )
    call("GET", f"/channels/{warehouse.pk}")
    call("GET", f"/channels/{other.pk}")
    assert given() == ["API key Script"] * 2


def test_new_values_are_new_to_the_key(call, warehouse):
    call("GET", f"/channels/{warehouse.pk}")
    services.update_channel(channel_id=warehouse.pk, headers={"X-Key": "0ther"}, by="ada")
    call("GET", f"/channels/{warehouse.pk}")
    call("GET", f"/channels/{warehouse.pk}")
    assert given() == ["API key Script"] * 2


def test_a_person_who_reveals_them_always_leaves_one(call, warehouse):
    call("GET", f"/channels/{warehouse.pk}")
    services.reveal_secret(channel_id=warehouse.pk, by="ada")
    services.reveal_secret(channel_id=warehouse.pk, by="ada")
    assert list(HistoryEntry.objects.filter(action="revealed").order_by("pk").values_list("by", flat=True)) == [
        "API key Script",
        "ada",
        "ada",
    ]
