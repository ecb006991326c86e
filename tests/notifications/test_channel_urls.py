"""A channel's URL is stored in the spelling in which it is sent, and shown so."""

import json

import pytest

from api.keys import create_key
from channels_app.models import Channel
from tests.calling import Caller

pytestmark = pytest.mark.django_db

GIVEN = "https://Example.com:443/100%/%2f[0]?a[]=%&b=ö"
STORED = "https://example.com/100%25/%2F%5B0%5D?a%5B%5D=%25&b=%C3%B6"


@pytest.fixture
def call() -> Caller:
    return Caller(create_key(name="Script", scopes=["manage"])[1])


def test_a_url_that_is_posted_or_patched_is_answered_as_it_is_sent(call):
    made = json.loads(call("POST", "/channels", {"name": "A", "kind": "postback", "url": GIVEN}).content)
    assert (made["url"], Channel.objects.get().url) == (STORED, STORED)

    path = f"/channels/{made['id']}"
    assert json.loads(call("PATCH", path, {"url": "https://example.com/%"}).content)["url"] == "https://example.com/%25"
    for url in (GIVEN, STORED):
        assert json.loads(call("PATCH", path, {"url": url}).content)["url"] == STORED
    assert json.loads(call("GET", path).content)["url"] == Channel.objects.get().url == STORED
