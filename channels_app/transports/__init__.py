"""The registry of channel kinds. A further kind is one transport class plus one entry here."""

from channels_app.transports.base import Answer, Connection, Destination, Message, Outcome, Transport
from channels_app.transports.postback import PostbackTransport

TRANSPORTS: dict[str, Transport] = {transport.kind: transport for transport in (PostbackTransport(),)}


def kind_choices() -> list[tuple[str, str]]:
    """Kinds with labels, for forms and validation; a callable, so that a new kind needs no migration."""
    return [(kind, transport.label) for kind, transport in TRANSPORTS.items()]


__all__ = ["TRANSPORTS", "Answer", "Connection", "Destination", "Message", "Outcome", "Transport", "kind_choices"]
