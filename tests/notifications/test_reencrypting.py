"""`reencrypt_secrets`: everything gets under the newest key, nothing is lost, and it says when older keys may go."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook

from api import reencryption
from api.keys import create_key
from channels_app.models import Channel
from notifications.models import HistoryEntry
from notifications.services import archive_channel
from tests.calling import Caller
from tests.notifications.deliveries import make_delivery
from tests.notifications.reencrypting import (
    COLUMNS,
    DONE,
    HEADERS,
    LOST,
    NEW,
    NO_ANSWERS,
    OLD,
    counts,
    make_channel,
    opened_by,
    refused,
    run,
    stored,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def old_key(settings: Settings) -> None:
    settings.SECRETS_ENCRYPTION_KEYS = [OLD]


def test_everything_gets_under_the_newest_key_and_the_older_one_can_go(settings, engine, receiver):
    channel = make_channel(url=receiver.url)
    secrets = channel.destination().secrets
    call = Caller(create_key(name="Tests", scopes=["manage"])[1])
    body, key = {"name": "Depot", "kind": "postback", "url": receiver.url}, {"Idempotency-Key": "k1"}
    first = call("POST", "/channels", body, headers=key)
    assert first.status_code == 201
    before = stored(channel)

    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    assert run() == (
        counts(4, 0, 0) + "Answers kept for an Idempotency-Key: 1 rewritten, 0 up to date, 0 cannot be read.\n" + DONE
    )

    after = stored(channel)
    for column in COLUMNS:
        assert (opened_by(NEW, after[column]), opened_by(OLD, after[column])) == (True, False)
        assert Fernet(NEW).extract_timestamp(after[column]) == Fernet(OLD).extract_timestamp(before[column])
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    again = call("POST", "/channels", body, headers=key)
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    make_delivery(channel)
    assert engine.deliver_due() == 1
    (request,) = receiver.received
    assert request.headers["authorization"] == "Bearer s3cret"
    assert len(secrets) == 2
    for secret in secrets:
        Webhook(secret).verify(request.body, request.headers)
    assert not HistoryEntry.objects.exclude(action__in=["created", "key_made"]).exists()


def test_run_again_it_rewrites_nothing(settings):
    channel = make_channel()
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    run()
    before = stored(channel)
    assert run() == counts(0, 3, 0) + NO_ANSWERS + DONE
    assert stored(channel) == before


def test_where_nothing_is_encrypted_there_is_nothing_to_do():
    assert run() == counts(0, 0, 0) + NO_ANSWERS + DONE


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(settings):
    channel = make_channel()
    before = stored(channel)
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    assert run("--dry-run") == (
        counts(3, 0, 0, "to be rewritten")
        + NO_ANSWERS.replace("rewritten", "to be rewritten")
        + "Nothing was changed. Older keys are still needed.\n"
    )
    assert stored(channel) == before
    run()
    assert run("--dry-run").endswith(DONE)


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_what_no_key_opens_is_named_and_left_and_no_key_may_go(settings, arguments):
    settings.SECRETS_ENCRYPTION_KEYS = [LOST]
    lost = make_channel("Bookkeeping")
    settings.SECRETS_ENCRYPTION_KEYS = [OLD]
    fine = make_channel()
    half = make_channel("Depot")
    token = Fernet(LOST).encrypt(b"{}").decode()
    Channel.objects.filter(pk=half.pk).update(encrypted_headers=token)
    before = {channel.pk: stored(channel) for channel in (lost, fine, half)}

    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    said, why = refused(*arguments)

    assert said.splitlines()[0].endswith(", 0 up to date, 4 cannot be read.")
    assert "can be removed" not in said
    assert why == (
        "No key in SECRETS_ENCRYPTION_KEYS opens these secrets, which were left as they are:\n"
        f"  Bookkeeping ({lost.pk}): signing secret, previous signing secret, extra headers\n"
        f"  Depot ({half.pk}): extra headers\n"
        "Put the key that wrote them back at the end of SECRETS_ENCRYPTION_KEYS and run this command again, or rotate "
        "the secret and give the extra headers, or the webhook URL, anew. Until then remove no key."
    )
    assert stored(lost) == before[lost.pk]
    assert stored(half)["encrypted_headers"] == token
    for channel, column in ((fine, "encrypted_headers"), (half, "encrypted_secret")):
        assert opened_by(OLD if arguments else NEW, stored(channel)[column])

    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD, LOST]
    assert run().endswith(DONE)
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    lost.refresh_from_db()
    assert (lost.headers, len(lost.destination().secrets)) == (HEADERS, 2)


def test_what_nobody_needs_any_more_holds_nothing_up(settings):
    settings.SECRETS_ENCRYPTION_KEYS = [LOST]
    deleted, ended = make_channel("Deleted"), make_channel("Ended")
    call = Caller(create_key(name="Tests", scopes=["manage"])[1])
    call("POST", f"/channels/{ended.pk}/pause", headers={"Idempotency-Key": "k1"})
    archive_channel(channel_id=deleted.pk, by="test")
    settings.SECRETS_ENCRYPTION_KEYS = [OLD]
    ended = Channel.objects.get(pk=ended.pk)
    ended.secret, ended.headers, ended.previous_secret_until = "whsec_AQ==", HEADERS, timezone.now()
    ended.save()

    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    assert run() == (
        counts(2, 0, 4) + "Answers kept for an Idempotency-Key: 0 rewritten, 0 up to date, 1 cannot be read.\n"
        "Nobody needs 5 of what cannot be read: it is of deleted channels or of secrets that have ended, or an answer "
        "that is kept for a day at most.\n" + DONE
    )


def test_deleted_channels_are_rewritten_as_well(settings):
    channel = make_channel()
    archive_channel(channel_id=channel.pk, by="test")
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    assert run().startswith(counts(3, 0, 0))
    assert all(opened_by(NEW, token) for token in stored(channel).values())


def test_each_batch_is_a_transaction_of_its_own_and_what_is_done_stays(settings, monkeypatch):
    channels = sorted((make_channel(f"Channel {number}") for number in range(5)), key=lambda channel: channel.pk)
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    monkeypatch.setattr(reencryption, "BATCH", 2)
    real, calls = reencryption._renew, []

    def break_off_at_the_fourth(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 4:
            raise OperationalError("the connection is lost\n")
        return real(*arguments)

    monkeypatch.setattr(reencryption, "_renew", break_off_at_the_fourth)
    _, why = refused()
    assert why == "Stopped half-way: the connection is lost\nRun the command again: it goes on from there."
    assert [opened_by(NEW, stored(channel)["encrypted_secret"]) for channel in channels] == [True] * 2 + [False] * 3

    monkeypatch.setattr(reencryption, "_renew", real)
    with CaptureQueriesContext(connection) as queries:
        assert run() == counts(9, 6, 0) + NO_ANSWERS + DONE
    locking = [each["sql"] for each in queries if "FOR NO KEY UPDATE" in each["sql"] and "channels_app" in each["sql"]]
    assert [sql.partition("LIMIT ")[2].partition(" ")[0] for sql in locking] == ["2"] * 3


def test_the_log_has_a_line_with_the_counts_and_no_secret(settings, caplog):
    channel = make_channel()
    caplog.set_level("DEBUG")
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    run()
    lines = [record.msg for record in caplog.records if record.name == "api.reencryption"]
    counted = {"rewritten": 3, "up_to_date": 0, "unreadable": 0, "channels_lost": 0, "dry_run": False}
    assert {name: lines[0][name] for name in ("event", *counted)} == {"event": "secrets_reencrypted", **counted}
    channel.refresh_from_db()
    for secret in (*channel.destination().secrets, "s3cret", NEW, OLD):
        assert secret not in caplog.text
