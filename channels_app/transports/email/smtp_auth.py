"""Signing in at a mail server (RFC 4954)."""

import base64
import hmac
from dataclasses import dataclass

CRAM_MD5, PLAIN, LOGIN = "CRAM-MD5", "PLAIN", "LOGIN"
# In clear one that does not show the password goes first. Inside TLS it goes last: a server that keeps hashes cannot
# do it, and some offer it all the same.
IN_CLEAR = (CRAM_MD5, PLAIN, LOGIN)
INSIDE_TLS = (PLAIN, LOGIN, CRAM_MD5)
WRONG_CREDENTIALS = 535
# Less than this cannot be left out of a text without leaving it out everywhere.
_SHORTEST_HIDDEN = 4
_SHORTEST_PART_HIDDEN = 8


@dataclass(frozen=True, repr=False)
class Credentials:
    """User and password as the bytes that are sent: UTF-8, or as they stand in `EMAIL_URL`."""

    user: bytes
    password: bytes

    @classmethod
    def of(cls, user: str, password: str) -> "Credentials":
        return cls(*(text.encode("utf-8", "surrogateescape") for text in (user, password)))

    def sent_along(self, way: str) -> str:
        """The initial response that follows the command, in base64; empty where the server asks for all."""
        return in_base64(self._plain) if way == PLAIN else ""

    def answers(self, way: str, challenge: bytes) -> list[bytes]:
        """The answers to the server's challenges in turn, of which `challenge` is the first."""
        if way == PLAIN:
            return [self._plain]  # for a server that does not take it with the command
        if way == LOGIN:
            return [self.user, self.password]
        return [self.user + b" " + hmac.digest(self.password, challenge, "md5").hex().encode()]

    def spellings(self) -> list[str]:
        """The password as it is written and as it is sent, longest first; of the latter also what a server that cuts
        it may send back."""
        sent = (in_base64(self.password), in_base64(self._plain))
        spellings = {each[:length] for each in sent for length in range(_SHORTEST_PART_HIDDEN, len(each) + 1)}
        spellings |= {self.password.decode("utf-8", "replace"), in_base64(self.password)}
        return sorted((each for each in spellings if len(each) >= _SHORTEST_HIDDEN), key=len, reverse=True)

    @property
    def _plain(self) -> bytes:
        return b"\0" + self.user + b"\0" + self.password


def in_base64(data: bytes) -> str:
    """Base64 without line breaks."""
    return base64.b64encode(data).decode("ascii")
