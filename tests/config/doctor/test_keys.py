"""What the doctor says of the encryption keys."""

import pytest
from pytest_django import Settings

from api.keys import create_key
from api.models import IdempotencyRecord
from channels_app.encryption import encrypt
from channels_app.models import Channel
from tests.config.doctor.looking import look
from tests.notifications.reencrypting import LOST, NEW, OLD, make_channel

pytestmark = pytest.mark.django_db


def test_secrets_under_the_newest_key_need_no_other(settings: Settings) -> None:
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    make_channel()
    assert look("secrets") == [("ok", "The newest key opens all 3 secrets of channels.", "")]
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    assert look("secrets") == [
        ("ok", "The newest key opens all 3 secrets of channels; they need none of the older ones.", "")
    ]


def test_an_older_key_that_is_still_needed_is_named_by_its_place(settings: Settings) -> None:
    settings.SECRETS_ENCRYPTION_KEYS = [OLD]
    make_channel()
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    make_channel("Mailing")
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, LOST, OLD]
    before = list(Channel.objects.order_by("pk").values())
    ((status, says, do),) = look("secrets")
    assert (status, says) == (
        "warning",
        "The keys open all 6 secrets of channels; older keys are needed: key 3 has written 3.",
    )
    assert do.startswith("manage.py reencrypt_secrets ")
    assert list(Channel.objects.order_by("pk").values()) == before


def test_a_secret_that_no_key_opens_is_a_fault_that_names_the_channel(settings: Settings) -> None:
    settings.SECRETS_ENCRYPTION_KEYS = [LOST]
    channel = make_channel()
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    ((status, says, do),) = look("secrets")
    assert status == "fault"
    assert says.startswith(f"No key opens the secrets of Warehouse ({channel.pk}): signing secret, ")
    assert do.startswith("Put the key that wrote them back")
    assert LOST not in says + do


def test_answers_that_are_kept_are_looked_at_too(settings: Settings) -> None:
    settings.SECRETS_ENCRYPTION_KEYS = [OLD]
    answer = IdempotencyRecord.objects.create(
        api_key=create_key(name="Shop", scopes=["storefront"])[0],
        key="once",
        fingerprint="0" * 64,
        encrypted_answer=encrypt("{}"),
    )
    settings.SECRETS_ENCRYPTION_KEYS = [NEW, OLD]
    ((status, says, _),) = look("kept answers")
    assert (status, says) == (
        "warning",
        "The keys open all 1 answers; older keys are needed: key 2 has written 1.",
    )
    settings.SECRETS_ENCRYPTION_KEYS = [NEW]
    ((status, says, _),) = look("kept answers")
    assert (status, says) == (
        "warning",
        "No key opens 1 answer kept for an Idempotency-Key or a form that was sent.",
    )
    answer.delete()
    assert look("kept answers") == [("ok", "The newest key opens all 0 answers.", "")]
