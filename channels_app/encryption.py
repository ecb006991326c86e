"""Secrets at rest: Fernet tokens under the keys of `SECRETS_ENCRYPTION_KEYS`, newest first.

Written with the newest key, read with any of them, so that a key is rotated by putting a new one in front.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """No key in `SECRETS_ENCRYPTION_KEYS` opens this secret."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SECRETS_ENCRYPTION_KEYS])


def encrypt(plain: str) -> str:
    return _keys().encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """Raises `SecretUnreadable` where the key that wrote `token` is gone."""
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable(
            "The secrets of this channel cannot be read: the key that encrypted them is not in SECRETS_ENCRYPTION_KEYS."
        ) from error
