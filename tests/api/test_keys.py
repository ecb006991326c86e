import hashlib
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from api.keys import authenticate, create_key, revoke_key
from api.models import ApiKey

pytestmark = pytest.mark.django_db


def test_a_key_is_stored_as_its_hash_alone() -> None:
    record, key = create_key(name="  Shop  ", scopes=["manage", "storefront", "manage"])

    stored = ApiKey.objects.values().get()
    assert stored["name"] == "Shop"
    assert stored["scopes"] == ["storefront", "manage"]
    assert stored["key_hash"] == hashlib.sha256(key.encode()).hexdigest()
    assert key.startswith(record.prefix)
    assert len(key) - len(record.prefix) >= 32
    assert key not in str(stored)


def test_two_keys_differ() -> None:
    assert create_key(name="A", scopes=["manage"])[1] != create_key(name="A", scopes=["manage"])[1]


@pytest.mark.parametrize(
    ("name", "scopes", "field", "message"),
    [
        ("  ", ["manage"], "name", "A key needs a name."),
        ("x" * 101, ["manage"], "name", "A name has at most 100 characters."),
        ("a\nb", ["manage"], "name", "A name is a single line without control characters."),
        ("a\x00b", ["manage"], "name", "A name is a single line without control characters."),
        ("a\udcffb", ["manage"], "name", "A name is a single line without control characters."),
        ("Shop", [], "scopes", "A key needs at least one scope."),
        ("Shop", ["manage", "root"], "scopes", "There is no scope 'root': choose from storefront, manage."),
    ],
)
def test_a_key_that_cannot_be_is_refused(name: str, scopes: list[str], field: str, message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        create_key(name=name, scopes=scopes)

    assert refusal.value.message_dict == {field: [message]}
    assert ApiKey.objects.count() == 0


@pytest.mark.parametrize("scopes", [[], ["root"], ["manage", "root"]])
def test_the_database_keeps_the_scopes_known(scopes: list[str]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(name="Shop", key_hash="0", prefix="p", scopes=scopes)


def test_a_key_is_found_until_it_is_revoked() -> None:
    record, key = create_key(name="Shop", scopes=["manage"])
    assert authenticate(key) == record
    assert authenticate(key + "x") is None
    assert authenticate("") is None

    revoke_key(record)
    first = record.revoked_at
    assert first is not None
    assert authenticate(key) is None

    revoke_key(record)
    assert record.revoked_at == first


def test_the_last_use_is_written_at_most_once_a_minute() -> None:
    record, key = create_key(name="Shop", scopes=["manage"])
    authenticate(key)
    record.refresh_from_db()
    first = record.last_used_at
    assert first is not None

    with CaptureQueriesContext(
        connection,
    ) as queries:
        authenticate(key)
    record.refresh_from_db()
    assert record.last_used_at == first
    assert len(queries) == 1

    hour_ago = timezone.now() - timedelta(hours=1)
    ApiKey.objects.update(last_used_at=hour_ago)
    authenticate(key)
    record.refresh_from_db()
    assert record.last_used_at is not None
    assert record.last_used_at > hour_ago + timedelta(minutes=30)


def test_the_command_prints_the_key_alone_on_the_last_line() -> None:
    out, err = StringIO(), StringIO()
    call_command("create_api_key", "Shop", "--scope", "storefront", "--scope", "manage", stdout=out, stderr=err)

    record = authenticate(out.getvalue().splitlines()[-1])
    assert record is not None
    assert (record.name, record.scopes) == ("Shop", ["storefront", "manage"])
    assert out.getvalue().count("\n") == 1
    assert "Shop" in err.getvalue()
    assert out.getvalue().strip() not in err.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Shop"], "A key needs at least one scope."),
        (["Shop", "--scope", "root"], "There is no scope 'root': choose from storefront, manage."),
        (["", "--scope", "manage"], "A key needs a name."),
        (["x" * 101, "--scope", "manage"], "A name has at most 100 characters."),
        (["--scope", "manage"], "Error: the following arguments are required: name"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], message: str) -> None:
    out = StringIO()
    with pytest.raises(CommandError, match=message.replace(".", r"\.")):
        call_command("create_api_key", *arguments, stdout=out)

    assert out.getvalue() == ""
    assert ApiKey.objects.count() == 0


def test_the_key_never_shows_in_the_record(caplog: Any) -> None:
    record, key = create_key(name="Shop", scopes=["manage"])
    authenticate(key)

    assert str(record) == f"Shop ({record.prefix}…)"
    assert key not in repr(record) + caplog.text
