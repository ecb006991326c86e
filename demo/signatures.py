"""How a receiver checks a postback, by the Standard Webhooks specification. This is what a customer's code does, too.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels_app.transports.postback.signature import sign

TOLERANCE_SECONDS = 5 * 60
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True)
class Verdict:
    """`holds` is None where it cannot be told; `reason` is a sentence for people."""

    holds: bool | None
    reason: str


def check_signature(*, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
    """Whether the sender knows one of `secrets` (`whsec_...`) and signed this very body within five minutes of `now`.

    `headers` have lower-case names; `now` is in unix seconds.
    """
    if not secrets:
        return Verdict(None, "No channel points at this receiver, so there is no secret to check the signature with.")
    for name in HEADERS:
        if not headers.get(name):
            return Verdict(False, f"The header {name} is missing.")
    message_id, timestamp, signatures = (headers[name] for name in HEADERS)
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return Verdict(False, "The header webhook-timestamp is not a time in unix seconds.")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return Verdict(False, "Its timestamp is more than five minutes off: somebody may be sending it a second time.")
    expected = [sign(secret, message_id, int(timestamp), body).encode() for secret in secrets]
    given = [signature.encode() for signature in signatures.split(" ")]
    if any(hmac.compare_digest(one, other) for one in expected for other in given):
        return Verdict(True, "It was signed with the channel's secret, less than five minutes before it arrived.")
    return Verdict(False, "No signature matches: it was signed with another secret, or the body was changed.")
