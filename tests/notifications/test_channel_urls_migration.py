"""URLs stored before one spelling was agreed on are stored as they are sent."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from channels_app.models import Channel

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("channels_app", "0003_kinds_that_people_read")]


@pytest.fixture
def old(db):
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    yield executor.loader.project_state(BEFORE).apps.get_model("channels_app", "Channel")
    MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def test_old_urls_are_spelled_as_they_are_sent(old):
    given = {
        "A": ("https://example.com/100%?a[]=1", "https://example.com/100%25?a%5B%5D=1"),
        "B": ("https://example.com/hook?a=%20b", "https://example.com/hook?a=%20b"),
        "C": ("ftp://example.com/%", "ftp://example.com/%"),
        "D": ("", ""),
    }
    for name, (url, _) in given.items():
        old.objects.create(name=name, kind="postback", url=url)
    old.objects.create(name="S", kind="slack", url="https://slack.example:443/********", encrypted_url="x")

    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    stored = dict(Channel.objects.values_list("name", "url"))
    assert stored == {**{name: url for name, (_, url) in given.items()}, "S": "https://slack.example:443/********"}
