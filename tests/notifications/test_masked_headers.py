"""Extra headers carry credentials: lists mask their values, and nobody writes the mask in place of one by accident."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpResponse

from api.keys import create_key
from channels_app.models import Channel
from channels_app.services import create_channel
from notifications import services
from notifications.models import HistoryEntry
from tests.api.problems import assert_fields
from tests.calling import Caller

pytestmark = pytest.mark.django_db

HEADERS = {"Authorization": "Bearer s3cret", "X-Empty": ""}
MASKED = {"Authorization": "********", "X-Empty": "********"}
SENTENCE = "Give the value of Authorization itself: ******** stands for it where it is not shown."


@pytest.fixture
def call() -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


@pytest.fixture
def warehouse() -> Channel:
    return create_channel(name="Warehouse", kind="postback", url="https://example.com/hook", headers=HEADERS)


def parsed(answer: HttpResponse, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


def test_the_list_names_the_headers_and_masks_their_values(call, warehouse):
    create_channel(name="Bare", kind="postback", url="https://example.com/hook")
    answer = call("GET", "/channels")
    assert [channel["headers"] for channel in parsed(answer)["results"]] == [{}, MASKED]
    assert b"s3cret" not in answer.content


def test_one_channel_is_shown_with_the_values(call, warehouse):
    path = f"/channels/{warehouse.pk}"
    assert parsed(call("GET", path))["headers"] == HEADERS
    assert parsed(call("PATCH", path, {"name": "Depot"}))["headers"] == HEADERS
    made = parsed(call("POST", "/channels", {"name": "A", "kind": "postback", "url": "https://a.example/"}), 201)
    assert made["headers"] == {}


@pytest.mark.parametrize("value", ["********", " ******** "])
def test_what_the_list_shows_cannot_be_written_back(call, warehouse, value):
    before = Channel.objects.values().get()
    body = {"name": "Depot", "headers": {"X-Empty": "1", "Authorization": value}}

    assert_fields(call("PATCH", f"/channels/{warehouse.pk}", body), {"headers": SENTENCE})

    assert Channel.objects.values().get() == before
    assert not HistoryEntry.objects.exclude(action="key_made").exists()


def test_nor_can_a_channel_be_made_of_it(call):
    body = {"name": "Depot", "kind": "postback", "url": "https://example.com/", "headers": {"Authorization": "*" * 8}}
    assert_fields(call("POST", "/channels", body), {"headers": SENTENCE})
    assert not Channel.objects.exists()
    assert not HistoryEntry.objects.exclude(action="key_made").exists()


def test_nor_does_any_other_caller_get_it_in(warehouse):
    with pytest.raises(ValidationError) as refused:
        services.update_channel(channel_id=warehouse.pk, headers={"Authorization": "********"}, by="ada")
    assert refused.value.message_dict == {"headers": [SENTENCE]}
    warehouse.refresh_from_db()
    assert warehouse.headers == HEADERS


@pytest.mark.parametrize("value", ["*******", "*********", "Bearer ********"])
def test_other_asterisks_are_a_value(call, warehouse, value):
    answer = call("PATCH", f"/channels/{warehouse.pk}", {"headers": {"Authorization": value}})
    assert parsed(answer)["headers"] == {"Authorization": value}


def test_a_client_that_leaves_the_headers_out_keeps_them(call, warehouse):
    (listed,) = parsed(call("GET", "/channels"))["results"]
    changed = {"name": "Depot", "url": listed["url"]}
    assert parsed(call("PATCH", f"/channels/{warehouse.pk}", changed))["headers"] == HEADERS


def test_the_document_says_so(client):
    document = client.get("/api/v1/openapi.json").json()
    listed = document["paths"]["/api/v1/channels"]["get"]
    schemas = document["components"]["schemas"]
    assert "The values of `headers` are masked; ask for one channel to read them." in listed["description"]
    example = listed["responses"]["200"]["content"]["application/json"]["example"]
    assert example["results"][0]["headers"] == {"X-Warehouse": "********"}
    assert "with `********` for each value" in schemas["ListedChannel"]["properties"]["headers"]["description"]
    for schema in ("ChannelRequest", "ChannelChange"):
        assert "The value `********`" in str(schemas[schema]["properties"]["headers"])
