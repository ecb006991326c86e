"""`reencrypt_secrets` beside a running web and running workers, which change, send and forget meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection, transaction
from pytest_django import Settings
from standardwebhooks import Webhook

from api import reencryption
from api.keys import create_key
from api.models import IdempotencyRecord
from channels_app.models import Channel
from channels_app.services import rotate_secret
from notifications.models import Delivery
from tests.calling import Caller
from tests.notifications.deliveries import make_delivery
from tests.notifications.reencrypting import DONE, NEW, NO_ANSWERS, OLD, counts, make_channel, refused, run
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def old_key(settings: Settings) -> None:
    settings.SECRETS_ENCRYPTION_KEYS = [OLD]


@contextmanager
def running_while_we_hold_rows() -> Iterator[list[str]]:
    """A transaction at whose end the command is waiting for it; afterwards what the command said is in the list."""
    said: list[str] = []

    def work() -> None:
        try:
            said.append(run())
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    with transaction.atomic():
        yield said
        worker.start()
        wait_until(somebody_waits_for_a_lock)
    worker.join(20)


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_it_waits_for_whoever_changes_a_channel_and_keeps_the_change(settings):
    channel = make_channel()
    with running_while_we_hold_rows() as said:
        rotated = rotate_secret(channel_id=channel.pk, overlap=timedelta(hours=24)).secret
        settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    assert said == [counts(4, 0, 0) + NO_ANSWERS + DONE]
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    channel.refresh_from_db()
    assert (channel.destination().secrets[0], len(channel.destination().secrets)) == (rotated, 3)


def test_a_kept_answer_that_ends_meanwhile_stays_away(settings):
    call = Caller(create_key(name="Tests", scopes=["manage"])[1])
    channel = make_channel()
    assert call("POST", f"/channels/{channel.pk}/pause", headers={"Idempotency-Key": "k1"}).status_code == 200
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    with running_while_we_hold_rows() as said:
        assert IdempotencyRecord.objects.all().delete()[0] == 1
    assert said == [counts(3, 0, 0) + NO_ANSWERS + DONE]
    assert not IdempotencyRecord.objects.exists()


def test_it_is_safe_while_postbacks_go_out(settings, engine, receiver):
    channel = make_channel(url=receiver.url)
    made = [make_delivery(channel) for _ in range(30)]
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    once = threading.Lock()
    said: list[str] = []

    def answer(_request: Any) -> int:
        if once.acquire(blocking=False):
            said.append(run())
            connection.close()
        return 200

    receiver.answer = answer
    assert engine.deliver_due() == len(made)
    assert said == [counts(3, 0, 0) + NO_ANSWERS + DONE]
    assert set(Delivery.objects.values_list("status", "attempts_made")) == {("succeeded", 1)}
    for request in receiver.received:
        for secret in channel.destination().secrets:
            Webhook(secret).verify(request.body, request.headers)


def test_a_process_that_still_writes_with_an_older_key_is_noticed(settings, monkeypatch):
    channel = make_channel()
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    real: Any = reencryption.reencrypt

    def reencrypt(*, dry_run: bool) -> Any:
        report = real(dry_run=dry_run)
        Channel.objects.update(encrypted_secret=Fernet(OLD).encrypt(b"whsec_AQ==").decode())
        return report

    monkeypatch.setattr(reencryption, "reencrypt", reencrypt)
    said, why = refused()
    assert said == counts(3, 0, 0) + NO_ANSWERS
    assert why == (
        "Something still writes with an older key. Restart web, workers and beat with the present "
        "SECRETS_ENCRYPTION_KEYS, then run this command again."
    )
    monkeypatch.setattr(reencryption, "reencrypt", real)
    assert run() == counts(1, 2, 0) + NO_ANSWERS + DONE
    assert Channel.objects.get(pk=channel.pk).secret == "whsec_AQ=="
