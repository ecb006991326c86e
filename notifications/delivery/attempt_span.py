"""The span of an attempt: ids and words of ours, and of the URL the host, where that is no secret."""

from urllib.parse import urlsplit

import structlog

from channels_app.transports import Answer
from notifications import tracing
from notifications.delivery.claim import Claim

log = structlog.get_logger(__name__)


def begin(claim: Claim) -> tracing.AttemptSpan | None:
    """Begin the span of an attempt; None where nothing is traced. Never raises."""
    spans = tracing.spans()
    if spans is None:
        return None
    try:
        return spans.begin_attempt(
            claim.event_type,
            delivery_id=claim.delivery_id,
            event_context=claim.trace_context,
            attributes=_attributes(claim),
        )
    except Exception:
        log.exception("attempt_not_traced", delivery_id=claim.delivery_id)
        return None


def end(span: tracing.AttemptSpan | None, answer: Answer) -> None:
    """Never raises."""
    try:
        if span is not None:
            span.end(answer)
    except Exception:
        log.exception("attempt_not_traced")


def _attributes(claim: Claim) -> dict[str, str | int]:
    channel = claim.channel
    attributes: dict[str, str | int] = {
        "messaging.message.id": claim.event_id,
        "tidings.channel.id": channel.pk,
        "tidings.channel.kind": channel.kind,
        "tidings.attempt.id": claim.attempt_id,
        "tidings.attempt.number": claim.number,
        "tidings.attempt.trigger": str(claim.trigger),
    }
    if channel.url or channel.url_is_secret:
        attributes |= {"http.request.method": "POST", "http.request.resend_count": claim.number - 1}
    return attributes if channel.url_is_secret else attributes | _server(channel.url)


def _server(url: str) -> dict[str, str | int]:
    """Host and port of a URL; nothing of one that has none or cannot be read."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return {}
    return {"server.address": host, "server.port": port} if host else {}
