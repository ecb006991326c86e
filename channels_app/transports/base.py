"""What every kind of channel implements: one transport, one method, one typed answer.

The engine calls `Transport.send` once an attempt. Timeouts, classification of unforeseen errors and
recording happen once, around every transport, in `notifications.delivery`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from django.db import models


class Outcome(models.TextChoices):
    """What an attempt came to. `STARTED` and `UNKNOWN` are the engine's; a transport answers with the others."""

    STARTED = "started", "In flight"
    SUCCEEDED = "succeeded", "Succeeded"
    HTTP_ERROR = "http_error", "HTTP error"
    GONE = "gone", "Gone"
    CONNECTION_ERROR = "connection_error", "Connection error"
    PROTOCOL_ERROR = "protocol_error", "Protocol error"
    TIMEOUT = "timeout", "Timeout"
    BLOCKED = "blocked", "Blocked"
    UNKNOWN = "unknown", "Unknown"
    INTERNAL_ERROR = "internal_error", "Internal error"


@dataclass(frozen=True)
class Destination:
    """Where a message goes, read from the channel just before the attempt.

    `secrets` are the signing secrets in force (`whsec_...`), newest first. Nothing here is a database object:
    a transport runs without a database connection.
    """

    kind: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True)
class Message:
    """What is sent. `id` is the event's, the same on every attempt, as are the bytes of `body`."""

    id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Connection:
    """How one attempt reached its receiver, and how long each phase took, in milliseconds.

    `address` is the one connected to, of an egress proxy where there is one. A phase that was not come to is None, and
    so are lookup, connect and TLS on a connection that was `kept` from an earlier attempt. `first_byte_ms` counts from
    when the request began to be sent. `sent_again`: the kept connection turned out to be closed, and the request went
    out once more over a fresh one.
    """

    address: str = ""
    kept: bool = False
    sent_again: bool = False
    lookup_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    first_byte_ms: int | None = None


@dataclass(frozen=True)
class Answer:
    """What came of one attempt.

    `request_headers` are as sent, with the values of the channel's own headers masked. `response_body` is text of at
    most 16 KiB. `retry_after` is what the receiver asked for, in seconds from now. `error` is a sentence for people,
    empty on success.
    """

    outcome: Outcome
    url: str = ""
    status_code: int | None = None
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""
    retry_after: float | None = None
    error: str = ""
    connection: Connection = Connection()


class Transport(Protocol):
    """One kind of channel. Register an instance in `channels_app.transports`."""

    kind: ClassVar[str]
    label: ClassVar[str]

    def send(self, destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
        """Send `message` once within `timeout` seconds of wall clock, over all phases together.

        `now` is the wall-clock time of this attempt (UTC), for time stamps and signatures.
        Answers for every failure that it can name; whatever else it raises is our own bug (`internal_error`).
        """
        ...
