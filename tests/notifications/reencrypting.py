"""What the tests of `reencrypt_secrets` have in common."""

from datetime import timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.management import CommandError, call_command

from channels_app.models import Channel
from channels_app.services import create_channel, rotate_secret

NEW, OLD, LOST = (Fernet.generate_key().decode() for _ in range(3))
COLUMNS = ("encrypted_secret", "encrypted_previous_secret", "encrypted_headers")
HEADERS = {"Authorization": "Bearer s3cret"}
DONE = "Every secret is under the newest key; older keys can be removed.\n"
NO_ANSWERS = "Answers kept for an Idempotency-Key: 0 rewritten, 0 up to date, 0 cannot be read.\n"


def make_channel(name: str = "Warehouse", url: str = "https://example.com/hook") -> Channel:
    """With all that is encrypted: a secret, one before it that still signs, and extra headers."""
    channel = create_channel(name=name, kind="postback", url=url, headers=HEADERS)
    return rotate_secret(channel_id=channel.pk, overlap=timedelta(hours=24))


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("reencrypt_secrets", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> tuple[str, str]:
    """What it says before it ends non-zero, and why it does."""
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("reencrypt_secrets", *arguments, stdout=out)
    assert error.value.returncode == 1
    return out.getvalue(), str(error.value)


def counts(rewritten: int, up_to_date: int, unreadable: int, verb: str = "rewritten") -> str:
    return (
        f"Secrets and extra headers of channels: {rewritten} {verb}, {up_to_date} up to date, "
        f"{unreadable} cannot be read.\n"
    )


def stored(channel: Channel) -> dict[str, str]:
    tokens: dict[str, str] = Channel.objects.values(*COLUMNS).get(pk=channel.pk)
    return tokens


def opened_by(key: str, token: str) -> bool:
    try:
        Fernet(key).decrypt(token)
    except InvalidToken:
        return False
    return True
