import base64
import hmac
import time
from collections.abc import Mapping

TOLERANCE_SECONDS = 5 * 60


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a notification comes from Tidings. Answer 401 where it does not.

    `secret` is the channel's (whsec_...), `headers` those of the request by lower-case name,
    and `body` its bytes as they came. In Flask: verify(secret, request.headers, request.get_data())
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    try:
        too_old_or_new = abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS
    except ValueError:
        return False
    if too_old_or_new or not key:
        return False
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    expected = b"v1," + base64.b64encode(digest)
    # Several while a secret is being rotated. compare_digest takes as long wherever they differ.
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(expected, signature) for signature in given)
