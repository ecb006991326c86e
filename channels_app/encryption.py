"""Secrets at rest: Fernet tokens under the keys of `SECRETS_ENCRYPTION_KEYS`, newest first.

Written with the newest key, read with any of them, so that a key is rotated by putting a new one in front, renewing
what older keys have written, and taking those away.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

UNREADABLE = (
    "The secrets of this channel cannot be read: the key that encrypted them is not in SECRETS_ENCRYPTION_KEYS. "
    "Put it back there, or give them anew: rotate the signing secret and give the extra headers, or the webhook URL, "
    "again."
)


class SecretUnreadable(Exception):
    """No key in `SECRETS_ENCRYPTION_KEYS` opens this secret."""


def encrypt(plain: str) -> str:
    """A Fernet token of `plain`, made with the newest of `SECRETS_ENCRYPTION_KEYS`."""
    return _keys().encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """Raises `SecretUnreadable` where the key that wrote `token` is gone."""
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable(UNREADABLE) from error


def renewed(token: str) -> str:
    """The same secret under the newest key, its time kept; `token` itself where that key wrote it.

    Raises `SecretUnreadable` like `decrypt`.
    """
    return _keys().rotate(token.encode()).decode() if position_of_key(token) else token


def position_of_key(token: str) -> int:
    """The position in `SECRETS_ENCRYPTION_KEYS` of the key that wrote `token`. Raises `SecretUnreadable`."""
    for position, key in enumerate(settings.SECRETS_ENCRYPTION_KEYS):
        try:
            Fernet(key).decrypt(token.encode())
        except InvalidToken:
            continue
        return position
    raise SecretUnreadable(UNREADABLE)


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SECRETS_ENCRYPTION_KEYS])
