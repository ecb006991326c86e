"""Signatures of the Standard Webhooks specification, scheme `v1` (HMAC-SHA256)."""

import base64
import binascii
import hashlib
import hmac
import secrets

PREFIX = "whsec_"


def new_secret() -> str:
    """A fresh signing secret: `whsec_` and 32 random bytes in base64, 50 characters."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of one message under one secret: `v1,` and a base64 HMAC of `id.timestamp.body`.

    `timestamp` is in unix seconds. Raises `ValueError` for a secret that is not `whsec_` and base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("The signing secret is not base64.") from error
    if not secret.startswith(PREFIX) or not key:
        raise ValueError(f"A signing secret is {PREFIX} followed by base64.")
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii")
