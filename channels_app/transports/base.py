"""The interface of every kind of channel: one transport, one method, one typed answer.

The engine calls `Transport.send` once an attempt. Timeouts, classification of unforeseen errors and
recording happen once, around every transport, in `notifications.delivery`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote

from django.db import models

from channels_app.transports.fields import Takes
from channels_app.transports.redactor import Redactor

_AMOUNT = re.compile(r"-?[0-9][0-9,]*\.[0-9]{2}( [A-Z]{3})?")


class Outcome(models.TextChoices):
    """The outcome of an attempt. `STARTED` and `UNKNOWN` are the engine's; a transport answers with the others."""

    STARTED = "started", "In flight"
    SUCCEEDED = "succeeded", "Succeeded"
    HTTP_ERROR = "http_error", "HTTP error"
    GONE = "gone", "Gone"
    REFUSED = "refused", "Refused"
    CONNECTION_ERROR = "connection_error", "Connection error"
    PROTOCOL_ERROR = "protocol_error", "Protocol error"
    TIMEOUT = "timeout", "Timeout"
    BLOCKED = "blocked", "Blocked"
    UNKNOWN = "unknown", "Unknown"
    INTERNAL_ERROR = "internal_error", "Internal error"


@dataclass(frozen=True)
class Destination:
    """Where a message goes, read from the channel just before the attempt.

    `url` is the whole one, also where it is a secret (`url_is_secret`). `secrets` are the signing secrets in force
    (`whsec_...`), newest first. `recipients` are e-mail addresses. `settings` are those of the kind, by name, each of
    them there; `secret_settings` are the values of those that are secret. `channel_id` is the channel's, "" where there
    is none: connections to its receiver are kept by it. Nothing here is a database object: a transport runs without a
    database connection.
    """

    kind: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    recipients: tuple[str, ...] = ()
    channel_id: str = ""
    url_is_secret: bool = False
    settings: dict[str, str] = field(default_factory=dict, repr=False)
    secret_settings: tuple[str, ...] = field(default=(), repr=False)

    @property
    def redactor(self) -> Redactor:
        """Takes the secret settings out of what is kept, also where a URL has them in it."""
        return Redactor([*self.secret_settings, *(quote(value, safe="") for value in self.secret_settings)])


@dataclass(frozen=True)
class Link:
    """Where a reader can go from here. `url` is absolute."""

    text: str
    url: str


@dataclass(frozen=True)
class Section:
    """Some facts under a heading: pairs of a label and a value, each of one line."""

    title: str
    facts: tuple[tuple[str, str], ...]

    @property
    def is_bill(self) -> bool:
        """Whether all values are amounts, which stand one below the other then."""
        return bool(self.facts) and all(_AMOUNT.fullmatch(value) for _, value in self.facts)


@dataclass(frozen=True)
class Notice:
    """A message in words, for the kinds that people read. Plain text throughout: each kind escapes it in its own way.

    `type` is the event type, by which a kind may choose a layout of its own. `title` is one line, `paragraphs` say what
    happened and what to do, `sections` hold the facts, `links` lead on, the most useful first. `note` stands before
    all else (as of a test), `footer` says why the reader gets this.

    `addresses` is None where all words are ours. Else others have typed some of them, and of what looks like an address
    in title, paragraphs and sections only those that are e-mail addresses of `addresses` may be followed.
    """

    type: str
    title: str
    paragraphs: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    links: tuple[Link, ...] = ()
    tone: Literal["good", "bad", "neutral"] = "neutral"
    note: str = ""
    footer: str = ""
    addresses: frozenset[str] | None = None


@dataclass(frozen=True)
class Message:
    """A message to send. `id` is the event's, the same on every attempt, as are the bytes of `body`.

    `delivery_id` names this message to this channel, the same on every attempt. `notice` makes what people read of the
    body, when it is called. `reached` are those recipients that have had it in an earlier attempt. `trace_headers` tell
    a program of the trace that this attempt is part of (W3C Trace Context).
    """

    id: str
    body: bytes = field(repr=False)
    delivery_id: str = ""
    notice: Callable[[], Notice] | None = field(default=None, repr=False)
    reached: tuple[str, ...] = ()
    trace_headers: Mapping[str, str] = field(default_factory=dict)

    def in_words(self) -> Notice:
        """The message in words. Raises `ValueError` where it has none."""
        if self.notice is None:
            raise ValueError("The message has no words.")
        return self.notice()


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
    """The result of one attempt.

    `request_headers` are as sent, with the values of the channel's own headers masked. `response_body` is text of at
    most 16 KiB. `url` is as it may be shown: masked where it is a secret. `retry_after` is what the receiver asked for,
    in seconds from now. `error` is a sentence for people, empty on success unless some recipients were refused.

    `retry` says whether another attempt can help; None leaves it to the outcome and the settings. `reached` are the
    recipients that have this message since this attempt.
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
    retry: bool | None = None
    reached: tuple[str, ...] = ()


class Transport(ABC):
    """One kind of channel. Register an instance in `channels_app.transports`.

    `kind` is its key, at most 20 characters, and `label` its name for people. `about` says what it is for, beside
    its choice. `advice` is a template beside the class, of what to know before saving a new channel (`guide` in it
    is a link to the help page). `answered_by` is who answers an attempt, within a sentence.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    about: ClassVar[str]
    takes: ClassVar[Takes]
    advice: ClassVar[Path | None] = None
    answered_by: ClassVar[str] = "the receiver"

    @abstractmethod
    def send(self, destination: Destination, message: Message, *, now: datetime, timeout: float) -> Answer:
        """Send `message` once within `timeout` seconds of wall clock, over all phases together.

        `now` is the wall-clock time of this attempt (UTC), for time stamps and signatures.
        Answers for every failure that it can name; whatever else it raises is our own bug (`internal_error`).
        """
