"""The registry of channel kinds. A further kind is one transport class plus one entry here."""

from dataclasses import replace
from datetime import datetime

from channels_app.transports.base import (
    Answer,
    Connection,
    Destination,
    Link,
    Message,
    Notice,
    Outcome,
    Section,
    Transport,
)
from channels_app.transports.email.transport import EmailTransport
from channels_app.transports.fields import HeadersField, RecipientsField, Setting, Takes, UrlField
from channels_app.transports.postback.transport import PostbackTransport
from channels_app.transports.slack.transport import SlackTransport

TRANSPORTS: dict[str, Transport] = {
    transport.kind: transport for transport in (PostbackTransport(), EmailTransport(), SlackTransport())
}


def send(destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
    """Send once, as `Transport.send` of the destination's kind. Whatever that does, no answer holds a secret setting.

    Raises `KeyError` for a kind that is not registered, and what the transport raises.
    """
    answer = TRANSPORTS[destination.kind].send(destination, message, now=now, timeout=timeout)
    if not destination.secret_settings:
        return answer
    redactor = destination.redactor
    return replace(
        answer,
        url=redactor.of_text(answer.url),
        request_headers={name: redactor.of_text(value) for name, value in answer.request_headers.items()},
        response_headers={name: redactor.of_text(value) for name, value in answer.response_headers.items()},
        response_body=redactor.of_text(answer.response_body),
        error=redactor.of_text(answer.error),
    )


def takes(kind: str) -> Takes:
    """The fields of a channel of this kind; none for one that is no longer registered."""
    return TRANSPORTS[kind].takes if kind in TRANSPORTS else Takes()


def kind_label(kind: str) -> str:
    """The label of a kind for people; of one that is no longer registered, its key."""
    return TRANSPORTS[kind].label if kind in TRANSPORTS else kind


def kind_choices() -> list[tuple[str, str]]:
    """Kinds with labels, for forms and validation; a callable, so that a new kind needs no migration."""
    return [(kind, transport.label) for kind, transport in TRANSPORTS.items()]


__all__ = [
    "TRANSPORTS",
    "Answer",
    "Connection",
    "Destination",
    "HeadersField",
    "Link",
    "Message",
    "Notice",
    "Outcome",
    "RecipientsField",
    "Section",
    "Setting",
    "Takes",
    "Transport",
    "UrlField",
    "kind_choices",
    "kind_label",
    "send",
    "takes",
]
