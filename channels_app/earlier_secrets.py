"""Signing secrets that were replaced and still sign for a while, each until its own time.

A channel keeps the latest of them in columns of its own and those before it in `earlier_secrets`, as JSON: processes of
the version before know the columns alone, and go on signing with what stands there.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from channels_app import encryption

AT_ONCE = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class EarlierSecret:
    """A secret, encrypted, that signs `until`."""

    encrypted: str
    until: datetime

    @property
    def key(self) -> str:
        """Names it among those of its channel: no two were replaced in the same microsecond."""
        return str((self.until - _EPOCH) // timedelta(microseconds=1))

    @property
    def secret(self) -> str:
        """Raises `encryption.SecretUnreadable`."""
        return encryption.decrypt(self.encrypted)

    @property
    def readable(self) -> str | None:
        """`secret`, None where the key that encrypted it is lost."""
        try:
            return self.secret
        except encryption.SecretUnreadable:
            return None


def parse(stored: str) -> list[EarlierSecret]:
    """Reads what `dump` writes, without decrypting; "" is none."""
    return [EarlierSecret(each["secret"], datetime.fromisoformat(each["until"])) for each in json.loads(stored or "[]")]


def dump(secrets: Iterable[EarlierSecret]) -> str:
    """ "" for none, which is what a channel begins with."""
    listed = [{"secret": each.encrypted, "until": each.until.isoformat()} for each in secrets]
    return json.dumps(listed) if listed else ""
