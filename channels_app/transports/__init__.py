"""The registry of channel kinds. A further kind is one transport class plus one entry here."""

from channels_app.transports.base import (
    Answer,
    Connection,
    Destination,
    Link,
    Message,
    Notice,
    Outcome,
    Section,
    Takes,
    Transport,
)
from channels_app.transports.email.transport import EmailTransport
from channels_app.transports.postback.transport import PostbackTransport
from channels_app.transports.slack.transport import SlackTransport

TRANSPORTS: dict[str, Transport] = {
    transport.kind: transport for transport in (PostbackTransport(), EmailTransport(), SlackTransport())
}


def takes(kind: str) -> Takes:
    """What a channel of this kind is given; nothing for one that is no longer registered."""
    return TRANSPORTS[kind].takes if kind in TRANSPORTS else Takes()


def kind_label(kind: str) -> str:
    """What people call a kind; one that is no longer registered by its name."""
    return TRANSPORTS[kind].label if kind in TRANSPORTS else kind


def kind_choices() -> list[tuple[str, str]]:
    """Kinds with labels, for forms and validation; a callable, so that a new kind needs no migration."""
    return [(kind, transport.label) for kind, transport in TRANSPORTS.items()]


__all__ = [
    "TRANSPORTS",
    "Answer",
    "Connection",
    "Destination",
    "Link",
    "Message",
    "Notice",
    "Outcome",
    "Section",
    "Takes",
    "Transport",
    "kind_choices",
    "kind_label",
    "takes",
]
